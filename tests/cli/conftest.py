"""Fixtures of the tests of the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import Command


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Give the command."""
    command = Command(tmp_path_factory.mktemp("command"))
    yield command
    command.close()


@pytest.fixture
def sample(realdata: Path) -> Path:
    """Name the real stream sample."""
    return realdata / "minidt_data_000000_first999rows.csv"


@pytest.fixture
def binary(realdata: Path) -> Path:
    """Name the real binary recording."""
    return realdata / "run000591_data_000000.dat"
