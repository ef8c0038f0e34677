"""Writing a run to an archive: every window once, whatever moment the process ends at.

A window goes to the journal of its hour, and is durable with the next ``sync``. Once an hour is
over, and nothing of it can be taken back, ``settle`` seals it. A window that is there already is
left out; one with other counts under the same name is counted apart, and people are told.
"""

import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from msgspec import json, structs

from muonscope.archiving.folders import Part, RunFolder
from muonscope.archiving.journal import Journal, Kept, read_journal
from muonscope.archiving.run_file import (
    ChangeRecord,
    RunFile,
    read_run_file,
    remove_files,
    write_whole,
)
from muonscope.archiving.sealing import seal
from muonscope.archiving.windows_file import SealedWindows
from muonscope.detector import Detector
from muonscope.errors import SinkError, SinkExistsError
from muonscope.quality.reference import Reference
from muonscope.quality.reference_file import reference_bytes
from muonscope.quality.verdict import State

__all__ = ["RunWriter"]

_LINGER = 64
"""Windows that may still come for an hour that is over, as from the partitions of a topic."""

_SAME = ("detector_hash", "window_orbits", "tracking")


class RunWriter:
    """Writes one run; no other process can while it does."""

    def __init__(
        self, folder: RunFolder, about: RunFile, detector: Detector, *,
        fresh: bool = False, force: bool = False,
    ) -> None:  # fmt: skip
        """Begin a run, or go on with it.

        Parameters
        ----------
        folder, about, detector
            Where, and what it is.
        fresh
            Whether it must not be there yet.
        force
            Whether a run that is there is removed then.

        Raises
        ------
        SinkExistsError
            If it is ``fresh`` and there already.
        SinkError
            If another process writes it, it is of another detector or other windows, or it
            cannot be written.
        FormatError
            If what is there is damaged.
        """
        self.folder, self.detector = folder, detector
        self._lock = folder.lock()
        try:
            if fresh and folder.about.exists():
                self._make_room(force=force or folder.is_empty)
            self.about = self._begun(about)
            self._journals: dict[Part, Journal] = {}
            self._known: dict[Part, dict[int, int] | None] = {}
            self._newest = (-1, -1)
            self._carried = self._left_open()
        except BaseException:
            self._lock.release()
            raise
        self.windows = 0
        """Windows that were added."""
        self.again = 0
        """Windows that were there already."""
        self.differing = 0
        """Windows that were there with other counts: they were left out."""

    def take(self, window: Kept) -> bool:
        """Add a window; tell whether it was new.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        part, checksum = Part.of(window.epoch, window.first_orbit), _checksum(window)
        known = self._windows_of(part)
        if known is None:
            self.again += 1
            return False
        before = known.get(window.window)
        if before is not None:
            self.again += 1
            self.differing += before != checksum
            return False
        if self._carried:
            opening = tuple(_judged_anew(c, window) for c in self._carried)
            window = replace(window, changes=opening + window.changes)
        if part not in self._journals:
            self._journals[part] = Journal(self.folder.new_journal(part))
        self._journals[part].put(window)
        known[window.window] = checksum
        self._carried = ()
        self._newest = max(self._newest, window.place)
        self.windows += 1
        return True

    def sync(self) -> None:
        """Make all that was added durable.

        Raises
        ------
        SinkError
            If the disk fails.
        """
        for journal in self._journals.values():
            journal.sync()

    def settle(self, *, whole: bool = False, last: tuple[int, int] | None = None) -> list[Part]:
        """Seal the hours that are over, or all if the run is ``whole``; return them.

        Windows after ``last``, epoch and window, may still be taken back; by default none can.

        Raises
        ------
        SinkError
            If the disk is full or fails; what was added stays in the journals.
        FormatError
            If what was sealed before is damaged.
        """
        self.sync()
        epoch, window = self._newest
        now = Part.of(epoch, max(0, window - _LINGER) * self.about.window_orbits)
        over = [part for part in self.folder.journals() if whole or part < now]
        for part in over:
            if part in self._journals:
                self._journals.pop(part).close()
            seal(self.folder, part, self.detector, self.about.blocks, last=last)
            self._known.pop(part, None)
        return over

    def cut_after(self, place: tuple[int, int]) -> None:
        """Forget the windows after ``place``, epoch and window: they are made again.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        for part, paths in self.folder.journals().items():
            kept = [w for path in paths for w in read_journal(path, lists=True)]
            if all(window.place <= place for window in kept):
                continue
            with closing(Journal(self.folder.new_journal(part))) as journal:
                for window in kept:
                    if window.place <= place:
                        journal.put(window)
                journal.sync()
            remove_files(paths)
        self._known.clear()
        self._carried = self._left_open()

    def end(
        self, at: float, *, account: Mapping[str, Any] | None = None,
        outside: Mapping[str, int] | None = None, changes: Sequence[ChangeRecord] = (),
    ) -> None:  # fmt: skip
        """Write down that the run has ended, and what belongs to no window of it.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        self.about = structs.replace(
            self.about, ended_at=at, end_changes=list(changes),
            account=dict(account) if account else None,
            outside={name: n for name, n in (outside or {}).items() if n},
        )  # fmt: skip
        self._write_about()

    def remember(self, profile: str, reference: Reference | None) -> None:
        """Keep what the verdicts compare with, so that the run is judged alike when it goes on.

        Raises
        ------
        SinkError
            If it cannot be written.
        """
        if reference and reference.name != self.about.reference:
            write_whole(self.folder.reference, reference_bytes(reference))
        name = reference.name if reference else self.about.reference
        about = structs.replace(self.about, profile=profile, reference=name)
        if about != self.about:
            write_whole(self.folder.about, _encoded(about))
            self.about = about

    def close(self) -> None:
        """Close the journals, as they are, and let others write."""
        for journal in self._journals.values():
            journal.close()
        self._lock.release()

    def _make_room(self, *, force: bool) -> None:
        if not force:
            raise SinkExistsError(
                f"{self.folder.path}: run {self.folder.run} is in the archive already;"
                " choose another --run, or use --force to archive it anew"
            )
        for name in ("minutes", "windows", "open"):
            remove_files(list((self.folder.path / name).iterdir()))
        remove_files([self.folder.about, self.folder.reference])

    def _begun(self, about: RunFile) -> RunFile:
        """Return what the run is, which goes to the disk before its first window."""
        if not self.folder.about.exists():
            write_whole(self.folder.about, _encoded(about))
            return about
        before = read_run_file(self.folder.about)
        for name in _SAME:
            there, here = getattr(before, name), getattr(about, name)
            if there != here:
                raise SinkError(
                    f"{self.folder.path}: run {before.run} is in the archive with"
                    f" {name} = {there!r}, this one has {here!r}; choose another --run"
                )
        again = structs.replace(
            before, ended_at=None, end_changes=[], account=None, outside={}, resumes=about.resumes
        )
        if again != before:
            write_whole(self.folder.about, _encoded(again))
        return again

    def _write_about(self) -> None:
        write_whole(self.folder.about, _encoded(self.about))

    def _windows_of(self, part: Part) -> dict[int, int] | None:
        """Return the checksums of the windows that the archive has of a part.

        None where it was thinned: which windows were in it is not known, so it takes no more.
        """
        if part not in self._known:
            if len(self._known) > 1:
                self._known.pop(min(self._known))
            self._known[part] = self._read_windows_of(part)
        return self._known[part]

    def _read_windows_of(self, part: Part) -> dict[int, int] | None:
        known: dict[int, int] = {}
        path = self.folder.sealed_file(part)
        if path.exists():
            columns = ("window", "windows", "class_words")
            sealed = SealedWindows.read(path, self.detector, self.about.blocks, columns)
            if sealed.is_thinned:
                return None
            words, _ = sealed.told("class_words")
            rows = zip(sealed.numbers("window").tolist(), words, strict=True)
            known = {window: zlib.crc32(row.tobytes()) for window, row in rows}
        for journal in self.folder.journals().get(part, []):
            known |= {w.window: _checksum(w) for w in read_journal(journal)}
        return known

    def _left_open(self) -> tuple[ChangeRecord, ...]:
        """Return the verdicts that were not good when the run was left."""
        changes: list[ChangeRecord] = []
        for path in self.folder.sealed().values():
            changes += SealedWindows.read(path, self.detector, self.about.blocks, []).changes
        for paths in self.folder.journals().values():
            changes += [c for path in paths for w in read_journal(path) for c in w.changes]
        changes.sort(key=lambda change: (change.epoch, change.window))
        last = {(c.check, c.target): c for c in changes}
        return tuple(c for c in last.values() if c.after > State.NOT_ENOUGH)


def _encoded(about: RunFile) -> bytes:
    return json.format(json.encode(about), indent=2) + b"\n"


def _checksum(window: Kept) -> int:
    return zlib.crc32(window.arrays["class_words"].astype("<i8", copy=False).tobytes())


def _judged_anew(change: ChangeRecord, window: Kept) -> ChangeRecord:
    """Return the change that ends a verdict where the judge begins anew."""
    return structs.replace(
        change, epoch=window.epoch, window=window.window, at=window.at, before=change.state,
        state=State.NOT_ENOUGH.label, text="judged anew: the process had stopped", score=0.0,
    )  # fmt: skip
