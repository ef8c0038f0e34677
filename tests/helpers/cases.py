"""Small inputs that went wrong once, which are no part of the repository."""

import os
from pathlib import Path

import pytest

__all__ = ["case"]

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "cases"


def case(name: str) -> Path:
    """Return the input ``name``; skip the test where there are none, which fails in CI."""
    folder = Path(os.environ.get("MUONSCOPE_CASES", _DEFAULT))
    if folder.is_dir():
        return folder / name
    missing = f"no cases at {folder}; set MUONSCOPE_CASES to their folder"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
