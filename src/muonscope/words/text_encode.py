"""Words to text: CSV rows, or JSON lines as the original producer sends them.

Written text is read back at once, which alone proves that it holds every word whole.
"""

import numpy as np
import numpy.typing as npt

from muonscope.detector import Readout
from muonscope.errors import FormatError
from muonscope.words._write_text import format_rows
from muonscope.words.layout import COLUMNS, Words, as_words, unpack
from muonscope.words.text import CsvDecoder, JsonDecoder

__all__ = ["TextEncoder"]

_FIELDS = len(COLUMNS)


class TextEncoder:
    """Words to CSV rows or JSON lines, the fields of the latter as strings."""

    def __init__(self, readout: Readout, *, json: bool = False) -> None:
        """Encode for ``readout``."""
        self._readout, self._json = readout, json
        if json:
            between = [f'","{name}":"' for name in COLUMNS]
            between[0] = '{"' + between[0][3:]
            between.append('"}\n')
        else:
            between = ["", *[","] * (_FIELDS - 1), "\n"]
        self._sizes = np.array([len(b) for b in between], np.int64)
        self._between = np.zeros((_FIELDS + 1, int(self._sizes.max())), np.uint8)
        for row, text in zip(self._between, between, strict=True):
            row[: len(text)] = np.frombuffer(text.encode(), np.uint8)

    def begin(self) -> bytes:
        """Return the header of CSV; nothing for JSON."""
        return b"" if self._json else ",".join(COLUMNS).encode() + b"\n"

    def encode(self, words: Words) -> bytes:
        """Return the rows of ``words``.

        Raises
        ------
        FormatError
            If text cannot hold a word: it has bits that no column shows.
        """
        words, readout = as_words(words), self._readout
        columns = self._columns(words)
        out = np.empty(len(words) * (int(self._sizes.sum()) + 60) + 1, np.uint8)
        size = format_rows(
            words, columns, readout.version == 2, readout.hit_head, out, self._between, self._sizes
        )
        text = out[:size].tobytes()
        self._verify(words, text)
        return text

    def end(self) -> bytes:
        """Return nothing."""
        return b""

    def _columns(self, words: Words) -> npt.NDArray[np.int64]:
        readout = self._readout
        fields = unpack(words, readout.version, readout.hit_head)
        finite = np.nan_to_num(fields.tdc, posinf=0, neginf=0)
        channel = fields.channel
        if readout.version == 2:
            is_hit = (fields.head == readout.hit_head) | (fields.head == 2) | (fields.head > 5)
        else:
            is_hit = np.ones(len(words), np.bool_)
        channel = np.where(is_hit, channel + readout.text_channel_base, channel)
        tdc = np.where(is_hit, finite + readout.text_tdc_base - 1, finite).astype(np.int64)
        if readout.version == 2:
            is_half = np.isin(fields.head, (4, 5)) & (fields.head != readout.hit_head)
            tdc[is_half] = _decimals(finite[is_half])
        columns = [fields.head, fields.fpga, channel, fields.orbit, fields.bx, tdc]
        return np.ascontiguousarray(np.stack(columns, axis=1), np.int64)

    def _verify(self, words: Words, text: bytes) -> None:
        """Read the text back, which alone proves that nothing is lost."""
        decoder = JsonDecoder(self._readout) if self._json else CsvDecoder(self._readout)
        back = decoder.feed(text)
        if back.rejects:
            bad = back.rejects[0]
            raise FormatError(
                f"text cannot hold the word 0x{int(words[(bad.line or 1) - 1]):016x}:"
                f" it would read {bad.evidence!r}; dat, block and parquet hold every word"
            )
        wrong = np.flatnonzero(back.words != words)
        if len(wrong):
            word = int(words[wrong[0]])
            raise FormatError(
                f"text cannot hold the word 0x{word:016x}: it has bits that no column shows;"
                " dat, block and parquet hold every word"
            )


def _decimals(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return how many decimals give half-precision ``values`` back: 6, as the DAQ, or 8."""
    exact = np.round(values, 6).astype(np.float16) == values.astype(np.float16)
    return np.where(exact, 6, 8)
