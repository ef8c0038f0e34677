"""The 64-bit words of the DAQ: where each field sits, for every HEAD and version.

Words are arrays of ``uint64`` in the DAQ's own layout; they are never re-packed on the
way, so binary input is lossless by construction.

====================== ======= ======= ========= ========= ======== =======
word                   HEAD    FPGA    CHANNEL   ORBIT     BX       TDC
====================== ======= ======= ========= ========= ======== =======
hit, v2 and v3         61-63   58-60   49-57     17-48     5-16     0-4
hit, v1 (2018-20)      62-63   58-61   49-57     17-48     5-16     0-4
ancillary, v2          61-63   58-60   0-6       24-55     12-23    7-11
====================== ======= ======= ========= ========= ======== =======

In both versions the top 15 bits are HEAD, FPGA and CHANNEL of a hit. The ancillary
columns are those of HEAD 0 (the firmware's t0); HEAD 1 puts a number into bits 16-23,
HEAD 3 a mask into 0-23, HEAD 4 (slope) and 5 (position, mm) an IEEE half-precision
number into 0-15. Sources: the assignment behind the original pipeline and
zucchett/MiniDT for hits; ancillary words as confirmed on recorded data (one other
firmware put their orbit at bits 22-53).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "ANCILLARY_HEADS",
    "COLUMNS",
    "Fields",
    "Words",
    "as_words",
    "channel",
    "fpga",
    "fpga_mask",
    "head",
    "orbit",
    "orbits",
    "pack_ancillary",
    "pack_hits",
    "shift_orbits",
    "top_head_shift",
    "unpack",
]

Words = npt.NDArray[np.uint64]
"""An array of DAQ words: shape ``(n,)``, dtype ``uint64``."""

COLUMNS = ("HEAD", "FPGA", "TDC_CHANNEL", "ORBIT_CNT", "BX_COUNTER", "TDC_MEAS")
"""Names of the six fields in text, JSON and Parquet, in the DAQ's order."""

ANCILLARY_HEADS = {1: (0, 3), 2: (0, 1, 3, 4, 5)}
"""HEAD values other than hits that exist, by word version."""

_HEAD_SHIFT = {1: 62, 2: 61}
_FPGA_MASK = {1: 15, 2: 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """The fields of many words, each an array of shape ``(n,)``.

    ``tdc`` is float64 because HEAD 4 and 5 of v2 words carry a half-precision number
    there; for all others it is a whole number.
    """

    head: npt.NDArray[np.int64]
    fpga: npt.NDArray[np.int64]
    channel: npt.NDArray[np.int64]
    orbit: npt.NDArray[np.int64]
    bx: npt.NDArray[np.int64]
    tdc: npt.NDArray[np.float64]


def as_words(words: npt.ArrayLike) -> Words:
    """Return ``words`` as a one-dimensional, contiguous ``uint64`` array.

    Raises
    ------
    TypeError
        If the array is not of unsigned 64-bit integers or not one-dimensional.
    """
    array = np.asarray(words)
    if array.size == 0:
        return np.empty(0, np.uint64)
    if array.dtype != np.uint64 or array.ndim != 1:
        raise TypeError(
            f"words: found {array.dtype} of shape {array.shape}, expected one-dimensional uint64"
        )
    return np.ascontiguousarray(array)


def fpga_mask(version: int) -> int:
    """Return the mask of the FPGA field once shifted down: 15 (v1) or 7 (v2)."""
    return _FPGA_MASK[version]


def top_head_shift(version: int) -> int:
    """Return where HEAD begins in the top 15 bits of a word: bit 13 (v1) or 12 (v2)."""
    return _HEAD_SHIFT[version] - 49


def head(words: Words, version: int) -> npt.NDArray[np.int64]:
    """Return HEAD: 0 .. 3 (v1) or 0 .. 7 (v2)."""
    return (words >> np.uint64(_HEAD_SHIFT[version])).astype(np.int64)


def fpga(words: Words, version: int) -> npt.NDArray[np.int64]:
    """Return FPGA: 0 .. 15 (v1) or 0 .. 7 (v2)."""
    return _bits(words, 58, _FPGA_MASK[version])


def channel(words: Words) -> npt.NDArray[np.int64]:
    """Return the TDC channel of hit words, 0 .. 511 (0-based)."""
    return _bits(words, 49, 511)


def orbit(words: Words) -> npt.NDArray[np.int64]:
    """Return the orbit of hit words, 0 .. 2^32 - 1."""
    return _bits(words, 17, 0xFFFFFFFF)


def orbits(words: Words, version: int, hit_head: int) -> npt.NDArray[np.int64]:
    """Return the orbit of every word, each HEAD by its own layout, 0 .. 2^32 - 1."""
    result = orbit(words)
    rows = _ancillary(words, version, hit_head)
    result[rows] = _bits(words[rows], 24, 0xFFFFFFFF)
    return result


def shift_orbits(words: Words, by: int, version: int, hit_head: int) -> Words:
    """Return ``words`` with all orbits ``by`` later, modulo 2^32; nothing else changes."""
    shifted = words.copy()
    rows = _ancillary(words, version, hit_head)
    for place, chosen in ((np.uint64(24), rows), (np.uint64(17), ~rows)):
        field = np.uint64(0xFFFFFFFF) << place
        some = words[chosen]
        moved = ((some & field) + (np.uint64(by % (1 << 32)) << place)) & field
        shifted[chosen] = (some & ~field) | moved
    return shifted


def pack_hits(
    head: npt.ArrayLike,
    fpga: npt.ArrayLike,
    channel: npt.ArrayLike,
    orbit: npt.ArrayLike,
    bx: npt.ArrayLike,
    tdc: npt.ArrayLike,
    *,
    version: int = 2,
) -> Words:
    """Pack fields into hit words.

    All arguments are integers or arrays of them, broadcast together; ``channel`` is
    0-based and ``tdc`` as in the binary. Shape ``(n,)``.

    Raises
    ------
    ValueError
        If a value does not fit its field.

    Examples
    --------
    >>> [hex(w) for w in pack_hits(2, 1, 128, 3387201000, 12, 30)]
    ['0x450193c92bd0019e']
    """
    return _packed(
        ("HEAD", head, _HEAD_SHIFT[version], 64 - _HEAD_SHIFT[version]),
        ("FPGA", fpga, 58, _FPGA_MASK[version].bit_length()),
        ("TDC_CHANNEL", channel, 49, 9),
        ("ORBIT_CNT", orbit, 17, 32),
        ("BX_COUNTER", bx, 5, 12),
        ("TDC_MEAS", tdc, 0, 5),
    )


def pack_ancillary(
    head: npt.ArrayLike, fpga: npt.ArrayLike, orbit: npt.ArrayLike, payload: npt.ArrayLike
) -> Words:
    """Pack fields into ancillary words of v2; ``payload`` is what stands in bits 0 .. 23.

    All arguments are integers or arrays of them, broadcast together. Shape ``(n,)``.

    Raises
    ------
    ValueError
        If a value does not fit its field.

    Examples
    --------
    >>> word = pack_ancillary(0, 1, 617760, 205 << 12 | 23 << 7 | 1)
    >>> fields = unpack(word, 2, 2)
    >>> int(fields.orbit[0]), int(fields.bx[0]), int(fields.tdc[0]), int(fields.channel[0])
    (617760, 205, 23, 1)
    """
    return _packed(
        ("HEAD", head, 61, 3), ("FPGA", fpga, 58, 3), ("ORBIT_CNT", orbit, 24, 32),
        ("payload", payload, 0, 24),
    )  # fmt: skip


def _packed(*parts: tuple[str, npt.ArrayLike, int, int]) -> Words:
    """Return words of (name, values, lowest bit, number of bits)."""
    words = np.zeros(1, np.uint64)
    for name, values, shift, bits in parts:
        array = np.atleast_1d(np.asarray(values))
        if array.size and (array.min() < 0 or array.max() >= 1 << bits):
            raise ValueError(
                f"{name}: {array.min()} .. {array.max()} does not fit 0 .. {(1 << bits) - 1}"
            )
        words = words | (array.astype(np.uint64) << np.uint64(shift))
    return words


def unpack(words: Words, version: int, hit_head: int) -> Fields:
    """Return all fields of ``words``, each HEAD by its own layout.

    v1 words, and HEAD 6 and 7 of v2, are read with the layout of hits.
    """
    heads = head(words, version)
    fields = Fields(
        head=heads,
        fpga=fpga(words, version),
        channel=channel(words),
        orbit=orbit(words),
        bx=_bits(words, 5, 4095),
        tdc=_bits(words, 0, 31).astype(np.float64),
    )
    if version == 2:
        rows = _ancillary(words, version, hit_head)
        _unpack_ancillary(words[rows], heads[rows], fields, np.flatnonzero(rows))
    return fields


def _ancillary(words: Words, version: int, hit_head: int) -> npt.NDArray[np.bool_]:
    """Tell which words have the layout of v2 ancillary words."""
    if version == 1:
        return np.zeros(len(words), np.bool_)
    table = np.isin(np.arange(8), [h for h in ANCILLARY_HEADS[2] if h != hit_head])
    found: npt.NDArray[np.bool_] = table[head(words, 2)]
    return found


def _unpack_ancillary(
    words: Words, heads: npt.NDArray[np.int64], into: Fields, rows: npt.NDArray[np.intp]
) -> None:
    payload = _bits(words, 0, 0xFFFFFF)
    is_t0, is_number, is_mask = heads == 0, heads == 1, heads == 3
    half = (payload & 0xFFFF).astype(np.uint16).view(np.float16)
    into.orbit[rows] = _bits(words, 24, 0xFFFFFFFF)
    into.channel[rows] = np.where(is_t0, payload & 127, 0)
    into.bx[rows] = np.select([is_t0, is_mask], [payload >> 12, payload], 0)
    into.tdc[rows] = np.select(
        [is_t0, is_number, is_mask], [(payload >> 7) & 31, payload >> 16, 0], half
    )


def _bits(words: Words, shift: int, mask: int) -> npt.NDArray[np.int64]:
    return ((words >> np.uint64(shift)) & np.uint64(mask)).astype(np.int64)
