"""Starts muonscope commands at once: imports everything one time, then forks for each.

Run as a script by ``helpers.command``, which writes requests and reads answers, a line of
JSON each. A forked child is the real command: its own arguments, folder, environment and
standard streams, and the exit of an interpreter. It may be told to use small pieces
(``settings``), or to be killed at the n-th call of a function (``kill_at``).
"""

import gc
import json
import os
import signal
import sys
from importlib import import_module
from typing import Any

_WARM = (
    "rich.live", "muonscope.api", "muonscope.cli.convert", "muonscope.dashboard.launch",
    "muonscope.cli.dashboard", "muonscope.cli.detectors",
    "muonscope.cli.inspect", "muonscope.cli.process", "muonscope.cli.report",
    "muonscope.cli.replay", "muonscope.cli.simulate", "muonscope.intake.topic",
    "muonscope.transports.kafka.opening", "muonscope.replaying.simulate",
    "muonscope.processing.run", "pyarrow.parquet",
)  # fmt: skip


def find(name: str) -> tuple[Any, str]:
    """Return the module or class that holds ``name``, and its last part."""
    parts = name.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            holder = import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:-1]:
            holder = getattr(holder, part)
        return holder, parts[-1]
    raise ValueError(name)


def kill_at(name: str, call: int, *, after: bool) -> None:
    """Have this process killed at a call of a function, before or after it is done."""
    holder, last = find(name)
    function, calls = getattr(holder, last), 0

    def counted(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **options)
        if calls == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(holder, last, counted)


def become(request: dict[str, Any]) -> None:
    """Make this process the command of ``request``."""
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    for descriptor, (path, flags) in enumerate(request["streams"]):
        opened = os.open(path, flags, 0o666)
        os.dup2(opened, descriptor)
        os.close(opened)
    for name, value in request["settings"].items():
        setattr(*find(name), value)
    if request["kill_at"]:
        name, call, after = request["kill_at"]
        kill_at(name, call, after=after)
    sys.argv = ["muonscope", *request["args"]]


def serve(requests: Any, answers: Any) -> dict[str, Any] | None:
    """Answer requests; return the request in a child that is to carry it out."""
    for line in requests:
        request: dict[str, Any] = json.loads(line)
        if "poll" in request:
            pid, status = os.waitpid(request["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                os.close(requests.fileno())
                os.close(answers.fileno())
                return request
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return None


def leave(code: object) -> None:
    """Exit as an interpreter does, but without taking everything apart first."""
    number = code if isinstance(code, int) else int(code is not None)
    try:
        sys.stdout.flush()
    except OSError as exc:
        sys.stderr.write(f"Exception ignored on flushing sys.stdout: {exc}\n")
        number = 120
    sys.stderr.flush()
    os._exit(number)


def main() -> None:
    """Serve; in a child, run the command."""
    for name in _WARM:
        import_module(name)
    from muonscope import kernels
    from muonscope.cli.main import run

    kernels.load(kernels.Purpose)
    gc.freeze()
    requests = os.fdopen(int(sys.argv[1]), "r", closefd=False)
    answers = os.fdopen(int(sys.argv[2]), "w", closefd=False)
    request = serve(requests, answers)
    if request is not None:
        become(request)
        try:
            run()
        except SystemExit as exc:
            leave(exc.code)


if __name__ == "__main__":
    main()
