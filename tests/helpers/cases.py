"""Small inputs that go wrong, which are no part of the repository."""

import os
from pathlib import Path

import pytest

__all__ = ["case"]

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "cases"


def case(name: str) -> Path:
    """Return the folder of a case; skip the test where there is none."""
    folder = Path(os.environ.get("MUONSCOPE_CASES", _DEFAULT)) / name
    if not folder.is_dir():
        missing = f"no such case: {folder}; set MUONSCOPE_CASES to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder
