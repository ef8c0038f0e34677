"""Which shipped detector fits some words: by how many of them it maps to its channels.

Words are judged by their top 15 bits alone, so that a sample of any size costs next to
nothing. Words that were packed from columns (text, JSON, Parquet) are in the layout of the
detector that read them; for one with another layout they are taken apart first.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.counting.word_classes import Timeless, class_table
from muonscope.detector import Detector, Readout, setup_names, shipped_detector
from muonscope.errors import FormatError
from muonscope.words.binary import BLOCK_MAGIC, BLOCK_WORDS
from muonscope.words.codec import Decoded
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.detect import PARQUET_MAGIC, PREFIX_BYTES
from muonscope.words.layout import Words, top_head_shift, unpack
from muonscope.words.rejects import Reject

__all__ = [
    "Fit",
    "best_detector",
    "best_of",
    "better_for_rejects",
    "better_for_words",
    "prefix_bytes",
]

_CLEARLY = 0.5
"""A detector that is named instead of another leaves at most so much of the loss."""
_MOST = 0.5
"""... maps at least so much of the sample ..."""
_HITS = 0.1
"""... and at least so much of it to channels: ancillary words exist in every layout."""
_TOP_SHIFT = np.uint64(49)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A shipped detector that fits a sample better than the one in use."""

    name: str
    share: float
    """Part of the sample that it maps, 0 .. 1."""


def best_detector(first: bytes) -> tuple[Detector, float]:
    """Return the shipped detector that maps most of the words that ``first`` begins with.

    Parquet must be there whole; of other formats the first few kilobytes are enough.

    The second value is the part of all rows or words that it maps, 0 .. 1.
    """
    return best_of(
        {name: _decoded(first, shipped_detector(name).readout) for name in setup_names()}
    )


def best_of(decoded_by: Mapping[str, Sequence[Decoded]]) -> tuple[Detector, float]:
    """Return the best of some shipped detectors, by what each decoded of the first words.

    Where none maps anything it is the default, with 0.0.
    """
    best, best_share = shipped_detector(), 0.0
    for name, decoded in decoded_by.items():
        detector = shipped_detector(name)
        share, _ = _mapped(detector, decoded)
        if share > best_share + 0.01:
            best, best_share = detector, share
    return best, best_share


def prefix_bytes(first: bytes) -> int:
    """Return how many bytes are enough to tell the detector: a block must be there whole."""
    return 2 * BLOCK_WORDS * 8 if first.startswith(BLOCK_MAGIC) else PREFIX_BYTES


def better_for_words(words: Words, detector: Detector, *, packed: bool) -> Fit | None:
    """Return the shipped detector that maps clearly more of ``words``, shape (n,); or None.

    ``packed``: they were columns, and are in the layout of ``detector``, which read them.
    """
    if not len(words):
        return None
    own, _ = _share(detector, words >> _TOP_SHIFT)
    fits = []
    for name in setup_names():
        other = shipped_detector(name)
        tops = _tops(words, detector.readout, other.readout) if packed else words >> _TOP_SHIFT
        fits.append((name, *_share(other, tops, len(words) - len(tops))))
    return _named(fits, own)


def better_for_rejects(rejects: Iterable[Reject]) -> Fit | None:
    """Return the shipped detector that reads rows of which another could read none; or None."""
    rows = b"".join(reject.evidence.strip() + b"\n" for reject in rejects)
    if not rows.strip():
        return None
    fits = []
    for name in setup_names():
        detector = shipped_detector(name)
        fits.append((name, *_mapped(detector, _decoded(rows, detector.readout))))
    return _named(fits, 0.0)


def _named(fits: Iterable[tuple[str, float, float]], own: float) -> Fit | None:
    """Return the best of (name, share, share of hits), if it is clearly better than ``own``."""
    best: Fit | None = None
    for name, share, hits in fits:
        clearly = 1 - share <= _CLEARLY * (1 - own) and own < share >= _MOST
        if clearly and hits >= _HITS and (best is None or share > best.share + 0.01):
            best = Fit(name=name, share=share)
    return best


def _mapped(detector: Detector, decoded: Iterable[Decoded]) -> tuple[float, float]:
    """Return the parts of what was decoded that are mapped, and that are on channels."""
    parts = list(decoded)
    words = np.concatenate([np.empty(0, np.uint64), *(part.words for part in parts)])
    wrong = sum(len(part.rejects) for part in parts)
    return _share(detector, words >> _TOP_SHIFT, wrong)


def _share(detector: Detector, tops: npt.NDArray[np.uint64], wrong: int = 0) -> tuple[float, float]:
    """Return the parts of words, and of ``wrong`` ones, that are mapped, and on channels."""
    kinds = class_table(detector).kind[tops]
    on_channels = int(np.count_nonzero(kinds == 0))
    good = on_channels + int(np.count_nonzero(kinds == 1 + Timeless.ANCILLARY))
    there = max(1, len(tops) + wrong)
    return good / there, on_channels / there


def _tops(words: Words, read_as: Readout, other: Readout) -> npt.NDArray[np.uint64]:
    """Return the top 15 bits that ``words`` would have, had ``other`` packed their columns.

    Those that would not fit are left out.
    """
    if (read_as.version, read_as.hit_head) == (other.version, other.hit_head):
        return words >> _TOP_SHIFT
    fields = unpack(words, read_as.version, read_as.hit_head)
    channels = fields.channel + read_as.text_channel_base - other.text_channel_base
    shift = top_head_shift(other.version)
    fits = (fields.head < 1 << (15 - shift)) & (fields.fpga < 1 << (shift - 9))
    fits &= (channels >= 0) & (channels < 512)
    return (fields.head << shift | fields.fpga << 9 | channels)[fits].astype(np.uint64)


def _decoded(first: bytes, readout: Readout) -> list[Decoded]:
    if not first.startswith(PARQUET_MAGIC):
        first = first[: prefix_bytes(first)]
    try:
        return list(decode(io.BytesIO(first), StreamDecoder(readout)))
    except FormatError:
        return []
