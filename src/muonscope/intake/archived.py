"""The runs of an archive as results: a message for each piece, a minute at most."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from muonscope.archiving.archive import Archive
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.folders import RunFolder, is_archive, is_run
from muonscope.archiving.windows_file import Piece
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.results.good_list import GoodList
from muonscope.results.message import condensed_message
from muonscope.results.read_message import WindowResult

__all__ = ["ArchivedResults"]


class ArchivedResults:
    """Runs of one detector: those of an archive, or one that is named by its folder."""

    def __init__(self, runs: Sequence[ArchivedRun], good: GoodList | None = None) -> None:
        """Take one run or more, in their order; of a ``good`` list only its windows."""
        self.runs, self._good = list(runs), good
        self.described: Detector = self.runs[0].detector
        self.detector = self.described.name

    @classmethod
    def found(cls, sources: Sequence[str], run: str = "") -> "ArchivedResults | None":
        """Return the runs in ``sources``, or only ``run``; None if they are something else.

        Raises
        ------
        OptionError
            If they are of several detectors, or among other sources.
        SourceNotFoundError
            If there is no such run, or none at all.
        """
        paths = [Path(source) for source in sources]
        archives = [path for path in paths if _holds_runs(path)]
        if not archives:
            return None
        if len(archives) < len(paths):
            raise OptionError(f"{' '.join(sources)}: found an archive and other sources")
        runs = [found for path in archives for found in _runs(path, run)]
        if len({found.detector for found in runs}) > 1:
            names = ", ".join(f"{r.name} ({r.about.detector_hash})" for r in runs[:10])
            raise OptionError(f"--run: found runs of several detectors: {names}; name one")
        if not runs:
            raise OptionError(f"{' '.join(sources)}: the archive has no run yet")
        return cls(runs)

    def results(self) -> Iterator[WindowResult]:
        """Yield what each minute of each run says.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        for run in self.runs:
            for piece in run.pieces(good=self._good):
                yield _result(run, piece)

    def messages(self) -> Iterator[tuple[bytes, float]]:
        """Yield the messages of the pieces, and when each came, s since 1970.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        for _, message, at in self.told():
            yield message, at

    def told(self) -> Iterator[tuple[WindowResult, bytes, float]]:
        """Yield the results with their messages, and when each came, s since 1970.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        for run in self.runs:
            for piece in run.pieces(good=self._good):
                about = run.about
                message = condensed_message(
                    piece.summary, about.run, piece.place, piece.first_orbit, about.conditions
                )
                yield _result(run, piece), message, piece.at


def _holds_runs(path: Path) -> bool:
    with suppress(OSError):
        return is_archive(path) or is_run(path)
    return False


def _runs(path: Path, run: str) -> list[ArchivedRun]:
    if is_run(path):
        folder = path.resolve()
        archive, names = Archive(folder.parent.parent), [RunFolder(folder).run]
    else:
        archive = Archive(path)
        names = [run] if run else list(archive)
    found = [archive[name] for name in names]
    return sorted(found, key=lambda one: (one.about.begun_at, one.name))


def _result(run: ArchivedRun, piece: Piece) -> WindowResult:
    summary = piece.summary
    lists = Summary.empty(run.detector, run.blocks).lists or {}
    return WindowResult(
        run=run.name, epoch=piece.epoch, window=piece.window, first_orbit=piece.first_orbit,
        last_orbit=piece.first_orbit + summary.live_orbits - 1, summary=summary, lists=lists,
        conditions=run.about.conditions, detector_hash=run.about.detector_hash,
        version=piece.version, windows=piece.windows,
    )  # fmt: skip
