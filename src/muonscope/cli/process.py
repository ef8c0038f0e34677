"""The ``process`` command."""

import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muonscope.cli.kernels import kernels_for, load_kernels
from muonscope.cli.stopping import Stop
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError
from muonscope.simulation.options import SCHEME
from muonscope.transports.state import StateStore
from muonscope.units import seconds
from muonscope.wiring import detector_for, open_sink, open_source, results_path

__all__ = ["Options", "process_sources"]

_SWITCH_S = 1e-4
"""How long a thread may keep the others waiting, s: the default of 5 ms is a whole batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as they were written."""

    sources: list[str]
    detector: str
    to: str
    run: str
    window: str
    lateness: str
    idle_timeout: str
    follow: bool
    idle_exit: str
    state: str
    force: bool


def process_sources(options: Options) -> int:
    """Process sources to the end, or until stopped; return the exit code."""
    stop = Stop()
    with stop.listening():
        return _process(options, stop)


def _process(options: Options, stop: Stop) -> int:
    detector = detector_for(options.sources, options.detector)
    spec_values = {
        "window_s": seconds(options.window, "--window"),
        "lateness_s": seconds(options.lateness, "--lateness"),
        "idle_s": seconds(options.idle_timeout, "--idle-timeout"),
    }
    idle_exit_s = seconds(options.idle_exit, "--idle-exit") if options.idle_exit else None
    if idle_exit_s is not None and not options.follow:
        raise OptionError("--idle-exit only makes sense with --follow")
    path = results_path(options.to)
    store = _open_store(options, path)
    load_kernels(kernels_for(options.sources))
    sys.setswitchinterval(_SWITCH_S)
    from muonscope.cli.report import Progress, print_account
    from muonscope.counting.counter import Counter
    from muonscope.counting.windows import WindowSpec
    from muonscope.intake import Intake
    from muonscope.run import Run, restore

    counter = Counter(detector, WindowSpec(**spec_values))
    name = _plain(options.run) or _run_name(options.sources[0])
    kept = _kept_options(options, detector, name) | {
        "window": spec_values["window_s"],
        "lateness": spec_values["lateness_s"],
        "idle timeout": spec_values["idle_s"],
    }
    restored = restore(store, kept) if store else None
    known = restored.known if restored else None
    exclude = [Path(p) for p in (path, options.state) if p]
    source = open_source(
        options.sources,
        detector=detector,
        follow=options.follow,
        idle_exit_s=idle_exit_s,
        exclude=exclude,
        known=known,
    )
    sink = open_sink(
        options.to,
        force=options.force,
        empty_ok=store is not None,
        resume_at=restored.sink_position if restored else None,
    )
    intake = Intake(
        source,
        detector.readout,
        streams=restored.streams if restored else None,
        stop=lambda: bool(stop),
        checkpoints=store is not None,
        grows=options.follow,
    )
    run = Run(name, intake, counter, sink, store=store, options=kept, restored=restored)
    try:
        if store and not restored:
            run.save()
        with Progress(source.size) as progress:
            for status in run.steps():
                progress.update(status)
        run.save()
        paused = bool(stop) and store is not None
        whole = run.total.merge(counter.remainder) if paused else run.finish()
    finally:
        sink.close()
        if store:
            store.close()
    title = f"run {name}"
    if paused:
        still_open = counter.words_in - whole.accounting.words_in
        title += f" (paused with {still_open:,} words in open windows; the same command goes on)"
    print_account(whole, run.bytes, run.rejects, windows=run.windows, title=title)
    if stop:
        return stop.exit_code
    if run.errors:
        raise run.errors[0]
    if run.rejects.total and not counter.words_in:
        first = f"; first: {run.rejects.examples[0]}" if run.rejects.examples else ""
        raise FormatError(f"nothing could be decoded{first}")
    return 0


def _open_store(options: Options, path: Path | None) -> StateStore | None:
    if not options.state:
        return None
    if path is None:
        raise OptionError(
            "--state needs a DEST that can be cut back after a crash: a .jsonl file or a folder,"
            " found standard output"
        )
    if "-" in options.sources:
        raise OptionError("--state needs sources that can be read again, found standard input")
    return StateStore(Path(options.state))


def _kept_options(options: Options, detector: Detector, name: str) -> dict[str, Any]:
    """Return what must be the same for a run to go on."""
    return {
        "run": name,
        "detector": f"{detector.name} ({zlib.crc32(repr(detector).encode()):08x})",
        "results": _plain(str(results_path(options.to))),
        "sources": [_plain(source) for source in options.sources],
    }


def _run_name(source: str) -> str:
    """Return the first part of the name of a file, folder or object; never an empty one."""
    if source == "-":
        return "stdin"
    source = source.replace(":", "-") if source.startswith(SCHEME) else source
    plain = source.split("*", maxsplit=1)[0].split("?", maxsplit=1)[0].split("[", maxsplit=1)[0]
    if plain != source:
        source = plain.rstrip("_-.") if not plain.endswith("/") else plain
    name = source.rstrip("/").rsplit("/", 1)[-1] if "://" in source else Path(source).resolve().name
    return _plain(name).lstrip(".").split(".", 1)[0] or "run"


def _plain(name: str) -> str:
    """Return ``name`` as text that can be written anywhere, whatever bytes it came from."""
    return os.fsencode(name).decode("utf-8", "replace")
