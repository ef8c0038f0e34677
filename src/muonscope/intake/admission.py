"""Which files are read while they grow, so that each word is counted once.

The file that is seen first is read. Another one that begins like it is not, as long as both go on
alike; it is compared again when it has doubled, and at the end, when what only it holds is read.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from muonscope.events import Event, EventKind
from muonscope.intake.file_facts import END_BYTES, FileFacts
from muonscope.intake.looking import Looker, Once, tell_some
from muonscope.intake.overlap import begins_alike, begins_with, proof
from muonscope.intake.survey import LOOK_BYTES, arrange
from muonscope.transports.base import Turn
from muonscope.transports.files import ends_of, open_file, shown
from muonscope.transports.following import Refusal
from muonscope.words.detect import PREFIX_BYTES

__all__ = ["AdmitOnce"]

_SETTLE_S = 2.0
"""A file that has not changed for so long, s, is read though it does not look like words."""

_COMPLETE_S = 60.0
"""A file that has not changed for so long, s, is taken to be complete."""


class AdmitOnce:
    """Lets files be read that hold new words."""

    def __init__(self, once: Once, clock: Callable[[], float]) -> None:
        """Begin without any file; ``clock`` gives wall time in s."""
        self._once, self._clock = once, clock
        self._looker = Looker(lambda name: open_file(Path(name)), once.readout)
        self._read: dict[Path, FileFacts] = {}
        self._gone: list[tuple[FileFacts, int]] = []
        self._compared: dict[Path, int] = {}

    def turn(self, path: Path, begun: int | None, *, final: bool) -> Turn | Refusal:
        """Return how a file is read, or why it is not."""
        compared, size = self._compared.get(path), _size(path)
        if begun is None and compared is not None and not _is_worth(size, compared, final=final):
            return Refusal.LEFT_OUT
        facts = self._facts(path, begun, final=final)
        if begun is not None:
            return self._admit(path, facts, Turn(name=str(path), stream=begun))
        if not final and self._is_wordless(path, facts):
            return Refusal.NOT_YET
        if not final and self._begins_another(path, facts):
            return Refusal.LEFT_OUT
        if copied := self._copy_of_gone(facts):
            return self._go_on(path, facts, copied)
        return self._beside_others(path, facts, final=final)

    def replaced(self, path: Path, read: int) -> None:
        """Take note that another file is at ``path``; ``read`` bytes of the former were read."""
        if facts := self._read.pop(path, None):
            self._gone.append((facts, read))
        self._compared.pop(path, None)

    def _admit(self, path: Path, facts: FileFacts, turn: Turn) -> Turn:
        self._read[path] = replace(facts, stream=turn.stream)
        return turn

    def _facts(self, path: Path, stream: int | None, *, final: bool) -> FileFacts:
        ends = replace(ends_of(path, END_BYTES, {}), stream=stream)
        facts = self._looker.facts_of(ends, grows=not final)
        if not final and not len(facts.first):
            # the last row of a text may be cut so that it is another one; a binary word is not
            short = self._looker.facts_of(ends)
            facts = replace(short, grows=True) if short.format in {"dat", "dat129"} else facts
        return replace(facts, label=shown(path))

    def _age_s(self, path: Path) -> float:
        try:
            return self._clock() - path.stat().st_mtime
        except OSError:
            return _COMPLETE_S

    def _is_wordless(self, path: Path, facts: FileFacts) -> bool:
        """Tell whether words may still come in a file that has none so far."""
        if len(facts.first):
            return False
        if facts.format != "unknown" or not facts.size:
            return True
        return facts.size < PREFIX_BYTES and self._age_s(path) < _SETTLE_S

    def _begins_another(self, path: Path, facts: FileFacts) -> bool:
        """Tell whether a file has too few words for an answer, and another begins with them."""
        if not len(facts.first) or len(proof(facts.first)):
            return False
        others = [*(facts for facts, _ in self._gone), *self._read.values()]
        return any(
            begins_with(other.first, facts.first) for other in others if other.name != str(path)
        )

    def _copy_of_gone(self, facts: FileFacts) -> tuple[FileFacts, int] | None:
        """Return the file, since cut back, that a file is a copy of, and its bytes read."""
        for gone, read in reversed(self._gone):
            same = gone.format == facts.format and gone.compression == facts.compression
            if same and begins_alike(gone.first, facts.first):
                return gone, read
        return None

    def _go_on(self, path: Path, facts: FileFacts, copied: tuple[FileFacts, int]) -> Turn | Refusal:
        """Read what a copy of a file holds beyond what was read of that before it was cut back."""
        gone, read = copied
        tell_some(
            [Event(kind=EventKind.COPY, where=facts.shown, detail=f"{gone.shown} before")],
            self._once.tell,
        )
        self._compared[path] = facts.size
        if facts.size <= read:
            return Refusal.LEFT_OUT
        state = self._looker.state_at(facts.name, read)
        restart = 0 if state["compression"] else int(state["position"])
        turn = Turn(name=facts.name, stream=gone.stream or 0, restart=restart, resume=state)
        return self._admit(path, facts, turn)

    def _beside_others(self, path: Path, facts: FileFacts, *, final: bool) -> Turn | Refusal:
        """Compare a file with those that are read."""
        others = self._others(path)
        found = arrange([*others, facts], self._looker.words)
        if facts.name in found.left_out:
            if path not in self._compared:
                copies = [replace(event, kind=EventKind.COPY) for event in found.events]
                tell_some(copies, self._once.tell)
            self._compared[path] = facts.size
            return Refusal.LEFT_OUT
        whose = {event.detail for event in found.events}
        may_follow = any(
            o.shown in whose and self._age_s(Path(o.name)) < _COMPLETE_S for o in others
        )
        if facts.name in found.after and may_follow and not final:
            return Refusal.LEFT_OUT  # the other file may still get what this one has already
        turns = self._looker.turns(found)
        tell_some(found.events, self._once.tell)
        return self._admit(path, facts, next(turn for turn in turns if turn.name == facts.name))

    def _others(self, path: Path) -> list[FileFacts]:
        """Return the files that are read, as they are now."""
        for other, facts in self._read.items():
            complete = self._age_s(other) >= _COMPLETE_S
            if facts.grows or not complete or facts.size != _size(other):
                self._read[other] = self._facts(other, facts.stream, final=complete)
        return [facts for other, facts in self._read.items() if other != path]


def _is_worth(size: int, compared: int, *, final: bool) -> bool:
    """Tell whether a file, once left out, is compared again: that takes time."""
    return size <= LOOK_BYTES and (final or size >= 2 * compared)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
