"""The ``muonscope`` command as tests use it: quick to start, real to the outside."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from helpers.patience import patience, until

__all__ = ["Command", "Finished", "Running", "hits", "until", "windows_of"]

MUONSCOPE = Path(sys.executable).with_name("muonscope")

Message = dict[str, Any]


def windows_of(lines: bytes) -> list[Message]:
    """Return the messages, the remainder included."""
    return [orjson.loads(line) for line in lines.splitlines()]


def hits(messages: list[Message]) -> list[int]:
    """Return the hits of each chamber, summed over messages."""
    names = [f"chamber{n}" for n in range(4)]
    return [sum(message[name]["total_hits"] for message in messages) for name in names]


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command did."""

    code: int
    """Exit code; minus the signal that killed it."""
    out: bytes
    err: str

    @property
    def messages(self) -> list[Message]:
        """Return the messages on standard output."""
        return windows_of(self.out)

    def account(self) -> dict[str, int]:
        """Return the numbers of the table of words and bytes on stderr."""
        numbers = {}
        for line in self.err.splitlines():
            cells = [cell.strip() for cell in line.strip("│ ").split("│")]
            for name, value in zip(cells[::2], cells[1::2], strict=False):
                if value.replace(",", "").isdecimal():
                    numbers[name] = int(value.replace(",", ""))
        return numbers


class Running:
    """A command that was started."""

    def __init__(self, command: "Command", pid: int, folder: Path) -> None:
        self.pid, self._command, self._folder = pid, command, folder
        self._code: int | None = None

    def done(self) -> bool:
        """Tell whether it has ended."""
        if self._code is None:
            self._code = self._command.ask({"poll": self.pid})
        return self._code is not None

    def signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if not self.done():
            os.kill(self.pid, number)

    def wait(self) -> Finished:
        """Wait for its end."""
        try:
            until(self.done, "the end of the command")
        except AssertionError:
            self.signal(signal.SIGKILL)
            raise AssertionError(f"it hangs: {self.err()}") from None
        assert self._code is not None
        out = self._folder / "out"
        return Finished(self._code, out.read_bytes() if out.exists() else b"", self.err())

    def err(self) -> str:
        """Return what it wrote on stderr so far."""
        return (self._folder / "err").read_text("utf-8", "replace")


class Command:
    """Starts commands; one forker serves all of a session."""

    def __init__(self, folder: Path) -> None:
        """Keep the output of commands below ``folder``."""
        self._folder, self._number = folder, 0
        here, there = os.pipe(), os.pipe()
        self._forker = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("forker.py")),
                str(here[0]),
                str(there[1]),
            ],
            pass_fds=(here[0], there[1]),
        )
        os.close(here[0])
        os.close(there[1])
        self._requests = os.fdopen(here[1], "w")
        self._answers = os.fdopen(there[0], "r")

    @property
    def forker_pid(self) -> int:
        """The process whose children the commands are."""
        return self._forker.pid

    def close(self) -> None:
        """End the forker."""
        self._requests.close()
        self._answers.close()
        self._forker.wait(patience(60.0))

    def ask(self, request: Mapping[str, Any]) -> int | None:
        """Send a request; return the answer."""
        self._requests.write(json.dumps(request) + "\n")
        self._requests.flush()
        answer: int | None = json.loads(self._answers.readline())
        return answer

    def start(
        self,
        *args: object,
        cwd: Path = Path("/"),
        stdin: Path | bytes = b"",
        stdout: Path | None = None,
        env: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
        kill_at: tuple[str, int, bool] | None = None,
    ) -> Running:
        """Start ``muonscope args``."""
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        if isinstance(stdin, bytes):
            (folder / "in").write_bytes(stdin)
            stdin = folder / "in"
        create = os.O_WRONLY | os.O_CREAT
        streams = [
            (stdin, os.O_RDONLY),
            (stdout or folder / "out", create),
            (folder / "err", create),
        ]
        (folder / "err").touch()
        pid = self.ask(
            {
                "args": [str(arg) for arg in args],
                "cwd": str(cwd),
                "env": {"COLUMNS": "200", **(env or {})},
                "streams": [(str(path), flags) for path, flags in streams],
                "settings": dict(settings or {}),
                "kill_at": kill_at,
            }
        )
        assert pid
        return Running(self, pid, folder)

    def __call__(self, *args: object, **options: Any) -> Finished:
        """Run ``muonscope args`` to its end."""
        return self.start(*args, **options).wait()
