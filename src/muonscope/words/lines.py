"""Lines of text to words: what the decoders of CSV and JSON have in common.

Whole lines are decoded; an unfinished one waits, within a limit. Lines are counted from 1,
and rejects carry the bytes, the offset and the line of the text as it came.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from muonscope.detector import Readout
from muonscope.words._parse_csv import N_REJECT, parse_rows
from muonscope.words.codec import Decoded, joined
from muonscope.words.layout import Words
from muonscope.words.reasons import LONGEST_LINE, TOO_LONG, reason_of_line
from muonscope.words.rejects import Reject, RejectCode, evidence
from muonscope.words.tables import PLAIN, plain_table

__all__ = ["BOM", "LineDecoder", "Rows", "line_ends", "reject_of"]

BOM = b"\xef\xbb\xbf"
_CUT = {RejectCode.BAD_COLUMN_COUNT, RejectCode.NOT_A_NUMBER, RejectCode.BAD_JSON}
_SHORTEST_ROW = 12
_REJECTS = 4096

_Found = tuple[int, int, int, int]
"""Of a rejected row: code, begin, end, line."""


class Rows:
    """Rows of a table to words; counts lines and keeps offsets right."""

    def __init__(self, readout: Readout) -> None:
        """Begin at line 1 with rows of the usual layout."""
        self.readout = readout
        self.line = 0
        """Lines that are done."""
        self.layout = PLAIN

    def parse(self, data: bytes, offset: int, *, final: bool) -> tuple[Decoded, int]:
        """Parse the rows of ``data``, which begins at ``offset``; return bytes done too."""
        if self.layout.is_plain:
            words, found, done = self._parse(data, self.layout.columns, final=final)
        else:
            done = len(data) if final else data.rfind(b"\n") + 1
            words, found = self._parse_table(data[:done])
        rejects = [self._reject(*bad, data, offset) for bad in found]
        return Decoded(words, rejects), done

    def _parse_table(self, data: bytes) -> tuple[Words, list[_Found]]:
        """Parse whole lines of another layout; the last one may lack its newline."""
        first, size = self.line, len(data)
        data = data if data.endswith(b"\n") or not data else data + b"\n"
        rows = plain_table(data, self.layout, LONGEST_LINE)
        words, found, _ = self._parse(rows, PLAIN.columns, final=True)
        if found:
            ends = [0, *line_ends(data)]
            found = [
                (code, ends[line - first - 1], min(ends[line - first], size), line)
                for code, _, _, line in found
            ]
        return words, found

    def _parse(
        self, data: bytes, columns: tuple[int, ...], *, final: bool
    ) -> tuple[Words, list[_Found], int]:
        raw, order = np.frombuffer(data, np.uint8), np.array(columns, np.int64)
        rows = len(raw) // _SHORTEST_ROW + 1
        readout, parts, found, done = self.readout, [], [], 0
        halves, values = np.empty(rows, np.int64), np.empty(rows)
        rejects = np.empty((_REJECTS, N_REJECT), np.int64)
        while True:
            words = np.empty(rows, np.uint64)
            counters = np.array([0, 0, 0, self.line])
            step = parse_rows(
                raw[done:], len(raw) - done, final, LONGEST_LINE, order,
                readout.version == 2, readout.hit_head,
                readout.text_channel_base, readout.text_tdc_base,
                words, halves, values, rejects, counters,
            )  # fmt: skip
            n, n_half, n_reject, self.line = counters.tolist()
            half = values[:n_half].astype(np.float16).view(np.uint16)
            words[halves[:n_half]] |= half.astype(np.uint64)
            found += [
                (code, done + begin, done + end, line)
                for code, begin, end, line in rejects[:n_reject].tolist()
            ]
            parts.append(words[:n])
            done += step
            if n_reject < _REJECTS and n < rows:
                return parts[0] if len(parts) == 1 else np.concatenate(parts), found, done

    def _reject(
        self, number: int, begin: int, end: int, line: int, data: bytes, offset: int
    ) -> Reject:
        code = RejectCode(number)
        reason = reason_of_line(code, data[begin:end], self.layout, self.readout)
        return reject_of(code, data[begin:end], offset + begin, line, reason)


def reject_of(code: RejectCode, data: bytes, offset: int, line: int, reason: str) -> Reject:
    """Return the reject of a line, ``data``, that begins at ``offset``."""
    return Reject(
        code=code,
        offset=offset,
        length=len(data),
        evidence=evidence(data).rstrip(b"\r\n"),
        line=line,
        reason=reason,
    )


def line_ends(data: bytes) -> list[int]:
    """Return the offsets after each newline of ``data``."""
    ends: list[int] = (np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1).tolist()
    return ends


class LineDecoder:
    """Whole lines to words; holds back an unfinished one, within a limit.

    A line of more than ``LONGEST_LINE`` bytes is one reject, given when it ends.
    """

    _long_code = RejectCode.BAD_COLUMN_COUNT

    def __init__(self, readout: Readout) -> None:
        """Begin with text of ``readout``."""
        self.position = 0
        self._rows = Rows(readout)
        self._tail = b""
        self._long_begin: int | None = None
        self._long_evidence = b""

    def feed(self, data: bytes) -> Decoded:
        """Take the next bytes."""
        return self._take(self._tail + data if self._tail else data, final=False)

    def finish(self) -> Decoded:
        """Take it that no more comes."""
        is_cut = bool(self._tail)
        decoded = self._take(self._tail, final=True)
        if is_cut and decoded.rejects and decoded.rejects[-1].code in _CUT:
            code, reason = RejectCode.TRUNCATED, "the data end within this line"
            last = replace(decoded.rejects[-1], code=code, reason=reason)
            decoded = Decoded(decoded.words, [*decoded.rejects[:-1], last])
        return decoded

    def state(self) -> dict[str, Any]:
        """Return the line number, and where a long line began."""
        return {
            "line": self._rows.line,
            "long_begin": self._long_begin,
            "long_evidence": self._long_evidence.decode("latin-1"),
        }

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``."""
        self.position, self._rows.line = position, int(state["line"])
        self._long_begin = state["long_begin"]
        self._long_evidence = state["long_evidence"].encode("latin-1")

    def _take(self, data: bytes, *, final: bool) -> Decoded:
        parts = []
        if self._long_begin is not None:
            end = data.find(b"\n") + 1
            self.position += end or len(data)
            data = data[end or len(data) :]
            if end or final:
                parts.append(self._end_long_line(self._long_begin))
        part, done = self._decode(data, final=final)
        parts.append(part)
        self.position += done
        self._tail = data[done:]
        if len(self._tail) > LONGEST_LINE:
            self._begin_long_line()
        return joined(parts)

    def _begin_long_line(self) -> None:
        self._rows.line += 1
        self._long_begin, self._long_evidence = self.position, evidence(self._tail).rstrip(b"\r\n")
        self.position += len(self._tail)
        self._tail = b""

    def _end_long_line(self, begin: int) -> Decoded:
        self._long_begin = None
        reject = Reject(
            code=self._long_code,
            offset=begin,
            length=self.position - begin,
            evidence=self._long_evidence,
            line=self._rows.line,
            reason=TOO_LONG,
        )
        return Decoded(rejects=[reject])

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        raise NotImplementedError
