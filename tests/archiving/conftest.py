"""What tests of the archive have opened is closed."""

from collections.abc import Iterator

import pytest

from helpers.archived import OPENED


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()
