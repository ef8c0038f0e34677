"""Errors that no command foresaw still give one line and an exit code."""

import errno

import pytest
from click.testing import CliRunner

from muonscope.cli.main import app


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (OSError(errno.EIO, "Input/output error", "run.dat"), 5, "run.dat: Input/output error"),
        (PermissionError(errno.EACCES, "Permission denied"), 5, "Permission denied"),
        (OSError("out of reach"), 5, "out of reach"),
        (KeyboardInterrupt(), 130, "muonscope: interrupted"),
        (ValueError("odd"), 70, "internal error: ValueError: odd; --debug shows where"),
    ],
)
def test_an_error_that_nobody_foresaw_has_its_exit_code_and_one_line(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_options: object) -> int:
        raise error

    monkeypatch.setattr("muonscope.cli.detectors.list_command", fail)
    done = CliRunner().invoke(app, ["detectors", "list"])
    assert done.exit_code == code
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    if isinstance(error, Exception):
        failed = CliRunner().invoke(app, ["detectors", "list", "--debug"])
        assert failed.exception is error
