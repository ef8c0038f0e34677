"""Pairs of files that have words in common, or may have, by what their ends tell; pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from muonscope.intake.boards import is_part
from muonscope.intake.file_facts import FileFacts
from muonscope.intake.overlap import Relation, begins_alike, find, proof

__all__ = ["SKEW_ORBITS", "Pairs", "clusters", "is_ordinary"]

SKEW_ORBITS = 1_123
"""Orbits (100 ms) by which files that follow each other overlap, as FPGAs are not in step."""

_SURE = 0.7
"""Part of a reckoned length, in orbits, that a file has for sure."""

_MOST_PAIRS = 20_000


def is_ordinary(a: FileFacts, b: FileFacts) -> bool:
    """Tell whether ``b`` may just follow ``a``, or run beside it as a part file."""
    if a.end is None or b.begin is None or (is_part(a.name) and is_part(b.name)):
        return True
    return 0 <= a.end - b.begin <= SKEW_ORBITS


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of files that have words in common, or may have."""

    heads: list[Relation] = field(default_factory=list)
    """Both begin with the same words."""
    tails: list[Relation] = field(default_factory=list)
    """One begins in the last words of the other; counted from the first of these."""
    doubtful: list[Relation] = field(default_factory=list)
    """Their orbits overlap."""

    @classmethod
    def of(cls, files: Sequence[FileFacts]) -> "Pairs":
        """Return the pairs among ``files``."""
        pairs = cls()
        starts: dict[bytes, list[FileFacts]] = {}
        for facts in files:
            if len(start := proof(facts.first)):
                alike = starts.setdefault(start.tobytes(), [])
                pairs.heads.extend(Relation(other.name, 0, facts.name) for other in alike)
                alike.append(facts)
        for a, b in _overlapping(files):
            if not begins_alike(a.first, b.first):
                pairs.add(a, b)
        return pairs

    def add(self, a: FileFacts, b: FileFacts) -> None:
        """Take a pair of which the second begins at orbits of the first."""
        start, other = proof(b.first), proof(a.first)
        at = find(a.last, start)
        if at is not None:
            self.tails.append(Relation(a.name, at, b.name))
        elif (
            find(a.first, start) is not None
            or find(b.first, other) is not None
            or _is_doubtful(a, b)
        ):
            self.doubtful.append(Relation(a.name, 0, b.name))


def _is_doubtful(a: FileFacts, b: FileFacts) -> bool:
    """Tell whether ``b``, which begins at orbits of ``a``, may begin inside it."""
    if a.begin is None or b.begin is None or a.reckoned_end is None:
        return False
    if a.end is None:
        return b.begin - a.begin < _SURE * (a.reckoned_end - a.begin)
    if b.begin > a.end:
        return a.end < a.begin <= b.begin  # in the stale buffer of a file, before its reset
    if a.last_begin is None:
        return True
    # A file that begins before the last words of another has hits before theirs. Few hits may be
    # later than some of these, for FPGAs are not in step; such a file ends inside the other.
    inside = b.end is not None and b.end <= a.end
    return b.begin < a.last_begin + (SKEW_ORBITS if inside else 0)


def clusters(pairs: Sequence[Relation]) -> list[list[str]]:
    """Return the names that hang together by ``pairs``."""
    leader: dict[str, str] = {}

    def find_leader(name: str) -> str:
        while (up := leader.setdefault(name, name)) != name:
            leader[name] = name = leader[up]
        return name

    for pair in pairs:
        leader[find_leader(pair.inner)] = find_leader(pair.outer)
    found: dict[str, list[str]] = {}
    for name in leader:
        found.setdefault(find_leader(name), []).append(name)
    return list(found.values())


def _overlapping(files: Sequence[FileFacts]) -> Iterator[tuple[FileFacts, FileFacts]]:
    """Yield pairs of which the second begins at orbits of the first, ``_MOST_PAIRS`` at most."""
    spans = [(*span, facts) for facts in files for span in facts.spans]
    spans.sort(key=lambda span: span[0])
    going: list[tuple[int, FileFacts]] = []
    pairs = 0
    for begin, end, facts in spans:
        going = [(last, other) for last, other in going if last >= begin]
        if begin == facts.begin:
            for _, other in going:
                if other.name != facts.name and other.fpgas & facts.fpgas:
                    yield other, facts
                    pairs += 1
        if pairs > _MOST_PAIRS:
            return
        going.append((end, facts))
