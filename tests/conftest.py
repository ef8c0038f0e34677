"""Fixtures of all tests: the shipped detectors and the real recordings."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.command import Command
from muonscope.detector import Detector, shipped_detector

_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "realdata"


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Folder of the real recordings, which are no part of the repository."""
    folder = Path(os.environ.get("MUONSCOPE_REALDATA", _DEFAULT))
    if not folder.is_dir():
        missing = f"no real data at {folder}; set MUONSCOPE_REALDATA to their folder"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


@pytest.fixture(scope="session")
def legnaro() -> Detector:
    """The default detector: v2 words, scintillator on FPGA 1."""
    return shipped_detector("legnaro")


@pytest.fixture(scope="session")
def run000591() -> Detector:
    """The detector of the binary recording: v1 words."""
    return shipped_detector("run000591")


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """The command line."""
    command = Command(tmp_path_factory.mktemp("command"))
    yield command
    command.close()
