"""Words that files have in common: found exactly, by comparing the words themselves.

Pure: arrays of words in, relations out. Two files are of the same words where one begins with
``PROOF_WORDS`` different words that stand in the other in the same order. A hit bears 32 bits of
orbit, a BX, a tick and a channel and never repeats in a recording, so eight in a row are no
chance; fewer are taken for nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from muonscope.words.layout import Words

__all__ = [
    "PROOF_WORDS",
    "Relation",
    "Together",
    "begins_alike",
    "begins_with",
    "find",
    "joined_words",
    "places",
    "proof",
    "relations",
    "together",
]

PROOF_WORDS = 8
"""Different words in the same order that prove two files to hold the same words."""

_AROUND = 1 << 12
"""Words that may be damaged or missing in one file before two are taken to part ways."""

_DAMAGED = 16
"""Words in a row that may be wrong in one of them."""

_COMPARED = 1 << 16


@dataclass(frozen=True, slots=True)
class Relation:
    """The first words of one file stand in another one."""

    outer: str
    at: int
    """Number of the word of ``outer`` at which ``inner`` begins."""
    inner: str


@dataclass(frozen=True, slots=True)
class Together:
    """How far two files go together from a common word."""

    first: int
    """Words of the first file up to where they part, or it ends."""
    second: int
    """The same of the second."""
    lost_first: int
    """Words among them that only the first has."""
    lost_second: int
    """Words among them that only the second has."""


def joined_words(parts: Iterable[Words]) -> Words:
    """Return several arrays of words as one."""
    return np.concatenate([np.empty(0, np.uint64), *parts])


def proof(words: Words) -> Words:
    """Return the shortest beginning that proves whose words these are; empty if there is none.

    That is the first of the words, with ``PROOF_WORDS`` different ones among them.
    """
    seen: set[int] = set()
    for n, word in enumerate(words[: 8 * PROOF_WORDS].tolist(), start=1):
        seen.add(word)
        if len(seen) == PROOF_WORDS:
            return words[:n]
    return words[:0]


def begins_alike(a: Words, b: Words) -> bool:
    """Tell whether two files begin with the same words, as far as both are given."""
    n = min(len(a), len(b))
    return len(proof(a[:n])) > 0 and bool(np.array_equal(a[:n], b[:n]))


def begins_with(words: Words, beginning: Words) -> bool:
    """Tell whether ``words`` begin with all of ``beginning``."""
    return bool(np.array_equal(words[: len(beginning)], beginning))


def find(words: Words, pattern: Words) -> int | None:
    """Return where ``pattern`` begins in ``words``, None if nowhere.

    Examples
    --------
    >>> find(np.arange(9, dtype=np.uint64), np.array([4, 5], np.uint64))
    4
    """
    if not len(pattern) or len(pattern) > len(words):
        return None
    starts = np.flatnonzero(words[: len(words) - len(pattern) + 1] == pattern[0])
    for at in starts.tolist():
        if np.array_equal(words[at : at + len(pattern)], pattern):
            return int(at)
    return None


def relations(files: Mapping[str, Words]) -> list[Relation]:
    """Return which files begin inside which others, the first place in each."""
    patterns = {name: start for name, words in files.items() if len(start := proof(words))}
    firsts = np.array([pattern[0] for pattern in patterns.values()], np.uint64)
    by_first: dict[int, list[str]] = {}
    for name, pattern in patterns.items():
        by_first.setdefault(int(pattern[0]), []).append(name)
    found = []
    for outer, words in files.items():
        seen = {outer}
        for at in np.flatnonzero(np.isin(words, firsts)).tolist():
            for inner in by_first[int(words[at])]:
                pattern = patterns[inner]
                if inner not in seen and np.array_equal(words[at : at + len(pattern)], pattern):
                    seen.add(inner)
                    found.append(Relation(outer, at, inner))
    return found


def together(a: Words, b: Words) -> Together:
    """Return how far ``a`` and ``b``, which begin alike, go together.

    A few damaged or missing words do not part them, nor does a last word that was cut short.
    """
    i = j = lost_a = lost_b = 0
    while True:
        same = _same(a[i:], b[j:])
        i, j = i + same, j + same
        left = len(a) - i, len(b) - j
        if 0 in left:
            return Together(i, j, lost_a, lost_b)
        step = _step(a[i : i + _AROUND], b[j : j + _AROUND])
        if step is None:
            # the last word of a text may be cut in the middle of a number
            return Together(i + (left[0] == 1), j + (left[1] == 1), lost_a, lost_b)
        i, j = i + step[0], j + step[1]
        lost_a, lost_b = lost_a + step[0], lost_b + step[1]


def _same(a: Words, b: Words) -> int:
    """Return how many words are the same from the first one on."""
    n = min(len(a), len(b))
    for at in range(0, n, _COMPARED):
        end = min(at + _COMPARED, n)
        different = a[at:end] != b[at:end]
        if different.any():
            return at + int(np.argmax(different))
    return n


def _step(a: Words, b: Words) -> tuple[int, int] | None:
    """Return how many words of each to leave out for the two to go together again."""
    steps = []
    for wrong in range(_DAMAGED):
        if (there := find(a, b[wrong : wrong + PROOF_WORDS])) is not None:
            steps.append((there, wrong))
            break
    for wrong in range(_DAMAGED):
        if (there := find(b, a[wrong : wrong + PROOF_WORDS])) is not None:
            steps.append((wrong, there))
            break
    return min(steps, key=sum, default=None)


def places(names: Sequence[str], found: Sequence[Relation]) -> dict[str, int]:
    """Return where each file begins on an axis that related ones have in common."""
    near: dict[str, list[tuple[str, int]]] = {}
    for relation in found:
        near.setdefault(relation.outer, []).append((relation.inner, relation.at))
        near.setdefault(relation.inner, []).append((relation.outer, -relation.at))
    placed: dict[str, int] = {}
    for root in names:
        if root in placed:
            continue
        placed[root], open_ends = 0, [root]
        while open_ends:
            name = open_ends.pop()
            for other, by in near.get(name, ()):
                if other not in placed:
                    placed[other] = placed[name] + by
                    open_ends.append(other)
    return placed
