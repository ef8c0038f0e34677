"""Fixtures of the tests of the command line."""

from pathlib import Path

import pytest


@pytest.fixture
def sample(realdata: Path) -> Path:
    """Name the real stream sample."""
    return realdata / "minidt_data_000000_first999rows.csv"


@pytest.fixture
def binary(realdata: Path) -> Path:
    """Name the real binary recording."""
    return realdata / "run000591_data_000000.dat"
