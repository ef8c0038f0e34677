"""Small inputs that once went wrong, kept outside the repository beside the recordings."""

import os
from pathlib import Path

import pytest

__all__ = ["case"]

_DEFAULT = Path(__file__).resolve().parents[3] / "shared" / "cases"


def case(name: str) -> Path:
    """Return the file or folder ``name``; skip the test where it is absent, fail it in CI."""
    path = Path(os.environ.get("MUONSCOPE_CASES", _DEFAULT)) / name
    if not path.exists():
        missing = f"no case at {path}; set MUONSCOPE_CASES to the folder of cases"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return path
