"""Feed bytes to a decoder in pieces, and check the law of bytes on what comes back."""

import io
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from muonscope.detector import Readout
from muonscope.words.codec import Decoded, Decoder
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.layout import Words, pack_hits
from muonscope.words.rejects import Reject

HEADER = b"HEAD,FPGA,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS\n"


class Outcome(NamedTuple):
    """What a whole stream gave."""

    words: list[int]
    rejects: list[Reject]


def outcome_of(parts: Iterable[Decoded]) -> Outcome:
    """Join what the pieces gave."""
    outcome = Outcome([], [])
    for part in parts:
        assert part.words.dtype == np.uint64
        assert part.words.ndim == 1
        outcome.words.extend(part.words.tolist())
        outcome.rejects.extend(part.rejects)
    return outcome


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut ``data`` at some positions."""
    return [data[a:b] for a, b in pairwise([0, *sorted(cuts), len(data)])]


def feed(decoder: Decoder | StreamDecoder, pieces: Iterable[bytes]) -> Outcome:
    """Feed all pieces and finish."""
    return outcome_of([*map(decoder.feed, pieces), decoder.finish()])


def stream(data: bytes, readout: Readout, cuts: Sequence[int] = ()) -> Outcome:
    """Decode a stream that comes in pieces, and check the law of bytes."""
    decoder = StreamDecoder(readout)
    outcome = feed(decoder, cut(data, cuts))
    assert_law(decoder, outcome, len(data))
    return outcome


def from_file(data: bytes, readout: Readout, chunk_bytes: int = 1 << 22) -> Outcome:
    """Decode a file, Parquet or other."""
    return outcome_of(decode(io.BytesIO(data), StreamDecoder(readout), chunk_bytes))


def assert_law(decoder: StreamDecoder, outcome: Outcome, size: int) -> None:
    """Every byte is decoded or in exactly one reject, and all have been seen."""
    assert decoder.position == decoder.bytes_in
    if decoder.compression is None:
        assert decoder.bytes_in == size
    spans = [(r.offset, r.offset + r.length) for r in outcome.rejects]
    assert all(0 <= a <= b <= decoder.bytes_in for a, b in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(len(r.evidence) <= 120 for r in outcome.rejects)
    lines = [r.line for r in outcome.rejects if r.line is not None]
    assert lines == sorted(lines)
    assert not lines or lines[0] >= 1


def some_words(count: int, version: int = 2) -> Words:
    """Return hits as they come from a run, all different."""
    n = np.arange(count)
    hit_head = 2 if version == 2 else 1
    return pack_hits(
        hit_head, n % 2, n * 7 % 128, 617_000 + n // 3, n * 97 % 3564, 1 + n % 30, version=version
    )
