"""A dashboard that runs as a command beside the tests, and what it answers."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.patience import patience, until

__all__ = ["Served", "serving"]

_ADDRESS = re.compile(r"dashboard of .* on (http://\S+)")


@dataclass
class Served:
    """A dashboard that runs."""

    process: "subprocess.Popen[bytes]"
    told: Path
    """What it tells on stderr."""

    @property
    def url(self) -> str:
        """Where it says that it is, with a slash at the end."""
        found = _ADDRESS.search(self.told.read_text("utf-8"))
        return found[1] if found else ""

    def get(self, path: str) -> Any:
        """Return what it answers, JSON."""
        with urllib.request.urlopen(self.url + path, timeout=patience(60.0)) as answer:
            return json.load(answer)

    def health(self) -> dict[str, Any]:
        """Return its status document."""
        status: dict[str, Any] = self.get("api/v1/health")
        return status

    def wait_for_windows(self, number: int = 1) -> None:
        """Wait until it has so many windows."""
        until(lambda: self.health()["windows"] >= number, f"{number} windows")

    def interrupt(self) -> int:
        """Interrupt it as Ctrl-C does; return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(patience(60.0))


@contextmanager
def serving(
    args: Sequence[object], *, cwd: Path | None = None, script: Path | None = None
) -> Iterator[Served]:
    """Run ``muonscope`` with ``args`` while the block lasts; it answers when that begins.

    A ``script`` runs in the command's place.
    """
    own = [str(Path(sys.executable).with_name("muonscope"))]
    command = [*([sys.executable, str(script)] if script else own), *map(str, args)]
    with tempfile.NamedTemporaryFile(suffix=".txt") as told:
        process = subprocess.Popen(
            command, cwd=cwd, stderr=told, stdout=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "COLUMNS": "300"},
        )  # fmt: skip
        served = Served(process, Path(told.name))
        try:
            until(lambda: bool(served.url) or process.poll() is not None, "its address")
            assert process.poll() is None, served.told.read_text("utf-8")
            yield served
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(patience(60.0))
