"""The place of a message in its stream, so that the order outlives any number of partitions.

A topic keeps order only within a partition. Each message that muonscope sends therefore
carries a record header of 28 bytes, little-endian::

    0   u32  check, a hash of the rest up to byte 28
    4   u64  stream: a number of its own for each replay
    12  u64  first: number of the chunk's first word in the stream
    20  u32  words in the chunk, 1 .. 8192
    24  u16  piece of the chunk, from 0
    26  u16  pieces of the chunk

A chunk is a run of consecutive words. Its words are split by block of orbits, one piece
each, so that an orbit never spans partitions; where there is more than one piece, pairs
of u16 follow that say which words of the chunk the piece has: start and length of each
run. From that the words come back in the order in which they were sent, a chunk that was
sent twice counts once, and one that is missing is noticed.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from muonscope.words.layout import Words

__all__ = [
    "CHUNK_WORDS",
    "HEADER_NAME",
    "KEY_ORBITS",
    "Number",
    "Piece",
    "consecutive",
    "split_by_orbits",
]

HEADER_NAME = "muonscope.number"
"""Name of the record header."""

CHUNK_WORDS = 8192
"""Most words in a chunk: a block of 64 KiB."""

KEY_ORBITS = 1 << 16
"""Orbits in a block of orbits (5.84 s): what keys, and so partitions, follow."""

_FIXED = struct.Struct("<IQQIHH")
_COLUMNS = np.dtype(
    [
        ("check", "<u4"), ("stream", "<u8"), ("first", "<u8"), ("words", "<u4"),
        ("piece", "<u2"), ("pieces", "<u2"),
    ]
)  # fmt: skip
_64 = (1 << 64) - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


@dataclass(frozen=True, slots=True)
class Number:
    """Which words of which stream a message has."""

    stream: int
    """0 .. 2^64 - 1."""
    first: int
    """Number of the first word of the chunk."""
    words: int
    """Words in the chunk."""
    piece: int = 0
    pieces: int = 1
    runs: bytes = b""
    """Pairs of u16: start and length of the runs of the chunk that the message has; none: all."""

    @property
    def size(self) -> int:
        """Words that the message has."""
        return self.words if self.pieces == 1 else int(self._runs()[:, 1].sum())

    def pack(self) -> bytes:
        """Return the record header."""
        rest = (self.stream, self.first, self.words, self.piece, self.pieces)
        return _FIXED.pack(_check(*rest), *rest) + self.runs

    @classmethod
    def unpack(cls, header: bytes, most: int = CHUNK_WORDS) -> "Number | None":
        """Return what a record header says, or None if it is damaged.

        ``most`` is how many words a chunk may have.
        """
        if len(header) < _FIXED.size or (len(header) - _FIXED.size) % 4:
            return None
        check, *rest = _FIXED.unpack_from(header)
        stream, first, words, piece, pieces = rest
        if check != _check(*rest) or not 0 < words <= most or piece >= pieces:
            return None
        number = cls(stream, first, words, piece, pieces, header[_FIXED.size :])
        if (len(number.runs) == 0) != (pieces == 1) or first + words > _64:
            return None
        return number if pieces == 1 or number._is_in_order() else None

    def places(self) -> npt.NDArray[np.int64]:
        """Return which words of the chunk the message has, ascending."""
        if self.pieces == 1:
            return np.arange(self.words)
        starts, lengths = self._runs().T
        ends = np.cumsum(lengths)
        return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1])

    def _runs(self) -> npt.NDArray[np.int64]:
        return np.frombuffer(self.runs, "<u2").reshape(-1, 2).astype(np.int64)

    def _is_in_order(self) -> bool:
        """Tell whether the runs follow one another inside of the chunk."""
        starts, lengths = self._runs().T
        ends = starts + lengths
        return (
            bool((lengths > 0).all() and (starts[1:] >= ends[:-1]).all()) and ends[-1] <= self.words
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """The words of a chunk that lie in one block of orbits."""

    key: int
    """Number of the block of orbits."""
    words: Words
    number: Number


def split_by_orbits(
    words: Words, orbits: npt.NDArray[np.int64], stream: int, first: int
) -> list[Piece]:
    """Return the pieces of a chunk whose first word has number ``first``."""
    keys = orbits // KEY_ORBITS
    n = len(words)
    if n == 0 or (keys == keys[0]).all():
        return [Piece(int(keys[0]), words, Number(stream, first, n))] if n else []
    order = _sorted(keys)
    keys, words = keys[order], words[order]
    new_key = np.diff(keys, prepend=keys[0] - 1) != 0
    new_run = new_key | (np.diff(order, prepend=order[0] - 1) != 1)
    runs = np.flatnonzero(new_run)
    table = np.stack([order[runs], np.diff(runs, append=n)], axis=1).astype("<u2")
    begins = np.flatnonzero(new_key)
    cuts = np.append(begins, n).tolist()
    run_cuts = np.append(np.searchsorted(runs, begins), len(runs)).tolist()
    return [
        Piece(
            int(keys[begin]),
            words[begin:end],
            Number(stream, first, n, i, len(begins), table[run:last].tobytes()),
        )
        for i, ((begin, end), (run, last)) in enumerate(
            zip(pairwise(cuts), pairwise(run_cuts), strict=True)
        )
    ]


def _sorted(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Return the stable order of ``keys``, by radix where they are close to one another."""
    low = keys.min()
    close = keys.max() - low < 1 << 16
    return np.argsort((keys - low).astype(np.uint16) if close else keys, kind="stable")


def consecutive(headers: Sequence[bytes]) -> list[tuple[int, int, Number]]:
    """Return the longest runs of messages that follow one another in a stream.

    Each is (begin, end, number of the whole run) for ``headers[begin:end]``; all headers
    must be of 28 bytes. Damaged ones are in no run, and a run has no more words than a
    message may have.
    """
    rows = np.frombuffer(b"".join(headers), _COLUMNS)
    stream, first, words = rows["stream"], rows["first"], rows["words"]
    good = rows["check"] == _checks(rows)
    good &= (rows["pieces"] == 1) & (rows["piece"] == 0) & (words > 0) & (words <= CHUNK_WORDS)
    good &= first <= np.uint64(_64) - words
    follows = good[1:] & good[:-1] & (stream[1:] == stream[:-1])
    follows &= first[1:] == first[:-1] + words[:-1]
    cuts = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(rows)]
    runs = []
    for begin, end in pairwise(cuts):
        if begin == end or not good[begin]:
            continue
        total = int(words[begin:end].sum())
        runs.append((begin, end, Number(int(stream[begin]), int(first[begin]), total)))
    return runs


def _check(stream: int, first: int, words: int, piece: int, pieces: int) -> int:
    mixed = (stream * _FACTORS[0]) & _64
    mixed ^= (first * _FACTORS[1]) & _64
    mixed ^= ((words | piece << 32 | pieces << 48) * _FACTORS[2]) & _64
    return ((mixed * _FACTORS[0]) & _64) >> 32


def _checks(rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint64]:
    """Return ``_check`` of each row."""
    a, b, c = (np.uint64(factor) for factor in _FACTORS)
    rest = rows["words"].astype(np.uint64)
    rest |= rows["piece"].astype(np.uint64) << np.uint64(32)
    rest |= rows["pieces"].astype(np.uint64) << np.uint64(48)
    mixed = rows["stream"].astype(np.uint64) * a ^ rows["first"].astype(np.uint64) * b ^ rest * c
    checks: npt.NDArray[np.uint64] = (mixed * a) >> np.uint64(32)
    return checks
