"""What the first and last bytes of a file tell of it, before it is read.

Pure: bytes in, facts out. Orbits are those of hits; ancillary words run ahead of them.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.detector import Readout
from muonscope.units import BX_PER_ORBIT
from muonscope.words.codec import Decoded, joined
from muonscope.words.decode import StreamDecoder
from muonscope.words.layout import Words, fpga, head, orbit

__all__ = ["ENDLESS", "END_BYTES", "FORMATS", "FileFacts", "facts_of", "with_words"]

END_BYTES = _JSON_BYTES = 1 << 16
"""Bytes of the head and of the tail of a file that are looked at, in JSON: some 600 words."""

_BYTES = 1 << 14
"""The same in other formats: at least as many words."""

_MOST_BYTES = 1 << 22
"""Decompressed bytes of the head that are decoded, at most."""

_NEAR_ORBITS = 11_230
"""Orbits (1 s) from a file's first or last hit within which its other ends are looked for."""

ENDLESS = 1 << 62
"""An orbit after all others."""

FORMATS = ("dat", "dat129", "block", "parquet", "csv", "json")
"""In the order in which they are preferred."""


def _none() -> Words:
    return np.empty(0, np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FileFacts:
    """What the ends of a file tell of it."""

    name: str
    """Identity, such as its path."""
    label: str = ""
    """Name for people; empty: the same."""
    size: int = 0
    """Raw bytes."""
    format: str = "unknown"
    compression: str | None = None
    first: Words = field(default_factory=_none)
    """First words, shape (n,)."""
    last: Words = field(default_factory=_none)
    """Last words, shape (n,); empty where only reading the whole would tell."""
    words: int | None = None
    """Number of words, where that is known."""
    about: float = 0.0
    """The same, reckoned from bytes."""
    fpgas: frozenset[int] = frozenset()
    """FPGAs of hits."""
    begin: int | None = None
    """Earliest orbit of hits near the first one; None without hits."""
    end: int | None = None
    """Latest orbit of hits near the last one; before ``begin`` if the counter was reset."""
    last_begin: int | None = None
    """Earliest orbit of hits among the last words; None where only these are not known."""
    orbits_a_word: float = 0.0
    """Orbits from word to word, by the first ones."""
    stream: int | None = None
    """The stream that it belongs to, if it was begun: then it is read on, whatever else holds."""
    grows: bool = False
    """Whether more words may come."""

    @property
    def shown(self) -> str:
        """Name for people."""
        return self.label or self.name

    @property
    def reckoned_end(self) -> int | None:
        """The end; where that is not known, reckoned from the rate of the first words."""
        if self.grows:
            return ENDLESS
        if self.end is not None or self.begin is None:
            return self.end
        return self.begin + int(self.orbits_a_word * self.about)

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Orbits from .. to; two of them where the counter was reset in between."""
        begin, end = self.begin, self.reckoned_end
        if begin is None or end is None:
            return []
        return [(begin, end)] if begin <= end else [(begin, ENDLESS), (0, end)]


def facts_of(
    name: str, size: int, first: bytes, last: bytes, readout: Readout, *, grows: bool = False
) -> FileFacts:
    """Return what the ends of a file of ``size`` bytes tell.

    ``first`` are its first bytes, ``last`` its last ones; if ``first`` is all of it, ``last`` is
    not looked at. Of a file that ``grows`` the last, unfinished record is left out. Of Parquet
    nothing can be told in this way.
    """
    n = _JSON_BYTES if first.lstrip()[:1] == b"{" else _BYTES
    if size > n:
        first, last = first[:n], (last or first[:size])[-n:]
    decoder = StreamDecoder(readout)
    begun, all_fed = _beginning(decoder, first)
    seen = all_fed and len(first) >= size
    whole = seen and not grows
    if whole:
        begun = joined([begun, decoder.finish()])
    form = decoder.guess.format if decoder.guess else "unknown"
    facts = FileFacts(
        name=name, size=size, format=form, compression=decoder.compression, grows=grows
    )
    if form == "block" and not len(begun.words):
        begun = Decoded(_words_of_block(first))
    if form not in FORMATS or not len(begun.words):
        return facts
    ending = begun if seen else _ending(decoder, size, last)
    about = len(begun.words) * size / max(1, len(first))
    return with_words(
        replace(facts, about=about), begun.words, ending.words, readout,
        len(begun.words) if whole else _counted(form, decoder.compression, size),
    )  # fmt: skip


def with_words(
    facts: FileFacts, first: Words, last: Words, readout: Readout, words: int | None
) -> FileFacts:
    """Return ``facts`` with what its first and last words tell."""
    early, late = _hits(first, readout), _hits(last, readout)
    boards = {*fpga(early, readout.version).tolist(), *fpga(late, readout.version).tolist()}
    told: dict[str, Any] = {
        "first": first,
        "last": last,
        "words": words,
        "fpgas": frozenset(boards),
    }
    if words is not None:
        told["about"] = float(words)
    if len(early):
        orbits = _near(orbit(early), 0)
        begin, reached = int(orbits.min()), int(orbits.max())
        told |= {"begin": begin, "orbits_a_word": (reached - begin) / len(first)}
    if len(late):
        orbits = _near(orbit(late), -1)
        told |= {"end": int(orbits.max()), "last_begin": int(orbits.min())}
    return replace(facts, **told)


def _beginning(decoder: StreamDecoder, first: bytes) -> tuple[Decoded, bool]:
    """Decode ``first``, or enough of it: a few bytes may be unpacked to gigabytes."""
    parts = [Decoded()]
    for part in decoder.feed_in_parts(first):
        if decoder.compression and decoder.bytes_in > _MOST_BYTES:
            return joined(parts) if len(parts) > 1 else part, False
        parts.append(part)
    return joined(parts), True


def _words_of_block(first: bytes) -> Words:
    """Return the first words of a block that is not there whole, and so not checked."""
    begin = 32 + -(-first[9] // 8) * 8 if len(first) > 9 else len(first)
    n = max(0, len(first) - begin) // 8
    return np.frombuffer(first, "<u8", n, begin).astype(np.uint64, copy=False)


def _counted(form: str, compression: str | None, size: int) -> int | None:
    if compression or form not in {"dat", "dat129"}:
        return None
    words = size // 8
    return words if form == "dat" else words - -(-words // 129)


def _hits(words: Words, readout: Readout) -> Words:
    in_orbit = (words >> np.uint64(5)) & np.uint64(4095) < BX_PER_ORBIT
    hits: Words = words[(head(words, readout.version) == readout.hit_head) & in_orbit]
    return hits


def _near(orbits: npt.NDArray[np.int64], which: int) -> npt.NDArray[np.int64]:
    """Return the orbits near one of them: not those before a reset or after a hole."""
    near: npt.NDArray[np.int64] = orbits[np.abs(orbits - orbits[which]) < _NEAR_ORBITS]
    return near


def _ending(decoder: StreamDecoder, size: int, last: bytes) -> Decoded:
    """Decode the last bytes of a file whose first ones were fed to ``decoder``."""
    state = decoder.state()
    if not state or decoder.compression or state["format"] == "block":
        return Decoded()
    begin = size - len(last)
    skip = -begin % 8 if state["format"].startswith("dat") else last.find(b"\n") + 1
    other = StreamDecoder(decoder.readout)
    other.resume({**state, "position": begin + skip})
    return joined([other.feed(last[skip:]), other.finish()])
