"""A run in a file for other programs: ROOT, UHI's JSON, or Parquet."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muonscope._version import __version__
from muonscope.counting.summary import Summary, merged
from muonscope.errors import FormatError, OptionError
from muonscope.events import Tell
from muonscope.processing.export_options import ExportOptions
from muonscope.processing.histogram_tree import histogram_tree
from muonscope.processing.source_windows import SourceWindows
from muonscope.processing.windows_parquet import WindowsWriter
from muonscope.results.read_message import Remainder, WindowResult
from muonscope.stopping import Stop, Stopped
from muonscope.transports.new_file import writing
from muonscope.transports.root_file import uproot

if TYPE_CHECKING:
    import hist

__all__ = ["Exported", "export_with"]

_JOINED = 64
"""Windows that are added up at once."""


@dataclass(slots=True, kw_only=True)
class Exported:
    """The run that was written."""

    run: str
    total: Summary
    """The counts of its windows."""
    windows: int = 0
    first_orbit: int = 0
    last_orbit: int = 0
    """Of the windows that came first and last."""
    conditions: dict[str, str] = field(default_factory=dict)
    outside: int = 0
    """Words that belong to no window."""

    def about(self) -> dict[str, Any]:
        """Return what the run is, as plain JSON values."""
        total = self.total
        return {
            "run": self.run,
            "detector": total.detector.name,
            "detector_hash": total.detector.fingerprint,
            "muonscope": __version__,
            "windows": self.windows,
            "first_orbit": self.first_orbit,
            "last_orbit": self.last_orbit,
            "live_s": total.live_s,
            "words_in_no_window": self.outside,
            "accounting": total.accounting.as_dict(),
            "conditions": self.conditions,
        }


def export_with(options: ExportOptions, tell: Tell, stop: Stop) -> Exported:
    """Write a run of words or results to a file.

    Raises
    ------
    OptionError
        If the file has no known ending, uproot is missing for ``.root``, or sources hold several
        runs and none is named.
    FormatError
        If there is no window.
    SourceError, SinkError
        If sources cannot be read, or the file not be written.
    Stopped
        If it is stopped before all is read: nothing is written then.
    """
    write = _writer(options.to)
    with stop.listening(), writing(options.to, force=options.force) as file:
        source = SourceWindows.of(options, stop, tell)
        return write(file, source)


def _writer(to: str) -> Callable[[Any, SourceWindows], Exported]:
    match Path(to).suffix:
        case ".parquet":
            return _parquet
        case ".json":
            return _uhi
        case ".root":
            return _root_writer()
    raise OptionError(f"--to: found {to!r}, expected a name in .root, .json or .parquet")


def _windows(source: SourceWindows, exported: list[Exported]) -> Iterator[WindowResult]:
    """Yield the windows of the only run; at the end ``exported`` has what they are together."""
    parts: list[Summary] = []
    made: Exported | None = None
    for result in source.results():
        if made is None:
            total = Summary.empty(source.detector, result.summary.blocks).condensed()
            made = Exported(run=result.run, total=total)
        if result.run != made.run:
            raise OptionError(
                f"--run: found runs {made.run} and {result.run}, expected the name of one"
            )
        if isinstance(result, Remainder):
            made.outside += result.summary.accounting.words_in
            continue
        if made.windows == 0:
            made.first_orbit, made.conditions = result.first_orbit, dict(result.conditions)
        made.windows, made.last_orbit = made.windows + result.windows, result.last_orbit
        parts.append(result.summary)
        if len(parts) == _JOINED:
            made.total, parts = _sum(source, made.total, parts), []
        yield result
    if source.stop:
        raise Stopped(source.stop.exit_code)
    if made is None or made.windows == 0:
        raise FormatError(f"{' '.join(source.asked.sources)}: holds no window to export")
    made.total = _sum(source, made.total, parts)
    exported.append(made)


def _sum(source: SourceWindows, total: Summary, parts: list[Summary]) -> Summary:
    return merged([total, *parts], source.detector, total.blocks)


def _total(source: SourceWindows) -> Exported:
    """Read all windows; return what they are together."""
    exported: list[Exported] = []
    for _ in _windows(source, exported):
        pass
    return exported[0]


def _parquet(file: Any, source: SourceWindows) -> Exported:
    """Write a row a window."""
    exported: list[Exported] = []
    with WindowsWriter(file, source.detector) as writer:
        for window in _windows(source, exported):
            writer.put(window)
        writer.tell(exported[0].about())
    return exported[0]


def _uhi(file: Any, source: SourceWindows) -> Exported:
    """Write histograms as JSON in the schema of UHI, and ``about`` beside them."""
    import uhi.io.json

    found = _total(source)
    tree: dict[str, hist.Hist[Any]] = histogram_tree(found.total, found.run)
    text = json.dumps({"about": found.about(), **tree}, default=uhi.io.json.default)
    file.write(text.encode())
    return found


def _root_writer() -> Callable[[Any, SourceWindows], Exported]:
    recreate = uproot().recreate

    def write(file: Any, source: SourceWindows) -> Exported:
        found = _total(source)
        with recreate(file) as root:
            root["muonscope/about"] = json.dumps(found.about())
            for path, made in histogram_tree(found.total, found.run).items():
                root[path] = made
        return found

    return write
