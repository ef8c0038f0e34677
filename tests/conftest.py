"""Tiers of all tests, and their fixtures: the shipped detectors and the real recordings."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.command import Command
from helpers.examples import register_profiles
from helpers.left_over import children, named
from helpers.patience import until
from helpers.tiers import is_integration
from muonscope.detector import Detector, shipped_detector

_DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "realdata"


register_profiles()

_FORKERS: list[int] = []
"""Processes whose children are the commands that tests start."""


def pytest_configure() -> None:
    """Let Ctrl-C be heard by commands also where the tests run in the background of a shell."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the integration tests."""
    for item in items:
        path = item.path.relative_to(item.config.rootpath)
        if is_integration(path, getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(autouse=True)
def _nothing_left_running(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test fail that leaves processes behind; what fixtures of many tests share may stay."""
    forkers = _FORKERS if "command" in request.fixturenames else []
    before = children(forkers)
    yield
    if "fragile" in request.fixturenames:  # the broker is another one when it was killed
        return

    def left() -> set[int]:
        # a process that has just begun has no name yet, and was not among those before
        return children(forkers) - before - {*_FORKERS}

    until(lambda: not left(), f"the end of {[named(pid) for pid in left()]}", within_s=10.0)


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
    _FORKERS.append(command.forker_pid)
    yield command
    command.close()
