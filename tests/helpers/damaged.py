"""Binary words that were damaged on their way, and what of them must be found again."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from helpers.feeding import Outcome, cut, feed
from muonscope.detector import Readout
from muonscope.words.binary import DatDecoder
from muonscope.words.layout import Words, pack_ancillary, pack_hits

__all__ = ["ANCILLARY_SHARE", "decoded", "lost_and_wrong", "recorded_words"]

ANCILLARY_SHARE = 4
"""One group of four words in so many is of the firmware's trigger, in version 2."""


def recorded_words(count: int, *, version: int = 2, start: int = 616_953, seed: int = 1) -> Words:
    """Return words as a telescope gives them: groups of four of either FPGA, orbits that grow.

    Orbits are those of 2,700 hits/s; ancillary words are seconds ahead.
    """
    random = np.random.default_rng(seed)
    groups = -(-count // 4)
    orbit = start + np.cumsum(random.poisson(1.5, groups * 4) * (random.random(groups * 4) < 0.6))
    fpga = np.repeat(random.integers(0, 2, groups), 4)
    hits = pack_hits(
        2 if version == 2 else 1, fpga, random.integers(0, 128, groups * 4), orbit,
        random.integers(0, 3564, groups * 4), random.integers(1, 31, groups * 4), version=version,
    )  # fmt: skip
    if version == 2:
        rows = np.repeat(random.integers(0, ANCILLARY_SHARE, groups) == 0, 4)
        ahead = pack_ancillary(
            random.choice([0, 1, 3, 4, 5], groups * 4), fpga, orbit + 120_000,
            random.integers(0, 1 << 24, groups * 4),
        )  # fmt: skip
        hits[rows] = ahead[rows]
    return hits[:count]


def decoded(
    data: bytes, readout: Readout, cuts: Sequence[int] = (), *, headers: bool = False
) -> Outcome:
    """Decode, and check that every byte is in a word, a header or a reject."""
    decoder = DatDecoder(readout, headers=headers)
    outcome = feed(decoder, cut(data, cuts))
    assert decoder.position == len(data)
    rejected = sum(reject.length for reject in outcome.rejects)
    if not headers:
        assert 8 * len(outcome.words) + rejected == len(data)
    return outcome


def lost_and_wrong(words: Words, outcome: Outcome) -> tuple[int, int]:
    """Return how many of ``words`` were not found, and how many found were none of them."""
    there, found = Counter(words.tolist()), Counter(outcome.words)
    return (there - found).total(), (found - there).total()
