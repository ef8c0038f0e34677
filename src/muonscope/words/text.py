"""Text: one row of six numbers per word (CSV), or one JSON object per line.

A header is optional in CSV and may order the columns at will. Channel and TDC are
written with the bases of the read-out (v1 text counts channels from 1 and ticks from 0).
HEAD 4 and 5 of v2 words carry a half-precision number, printed with six decimals, as the
DAQ does, or with eight where six do not give it back.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import orjson

from muonscope.detector import Readout
from muonscope.words._parse_csv import N_REJECT, parse_rows
from muonscope.words._parse_json import rows_of_objects
from muonscope.words.codec import Decoded, joined
from muonscope.words.layout import COLUMNS
from muonscope.words.rejects import SLICE_BYTES, Reject, RejectCode, evidence

__all__ = ["CsvDecoder", "JsonDecoder", "header_order"]

_BOM = b"\xef\xbb\xbf"
_MAX_LINE = 1 << 16
_CUT = {RejectCode.BAD_COLUMN_COUNT, RejectCode.NOT_A_NUMBER, RejectCode.BAD_JSON}
_SHORTEST_ROW = 12
_REJECTS = 4096
_FIELDS = len(COLUMNS)


def header_order(line: bytes) -> list[int] | None:
    """Return which field each column of a header holds, or None if it is no header.

    Examples
    --------
    >>> header_order(b"FPGA,HEAD,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS")
    [1, 0, 2, 3, 4, 5]
    """
    names = [name.strip(' "') for name in line.decode("latin-1").strip().split(",")]
    if sorted(names) != sorted(COLUMNS):
        return None
    return [COLUMNS.index(name) for name in names]


class _Rows:
    """Rows of numbers to words; counts lines and keeps offsets right."""

    def __init__(self, readout: Readout) -> None:
        self._readout = readout
        self.order = np.arange(_FIELDS)
        self.line = 0

    def parse(self, data: bytes, offset: int, *, final: bool) -> tuple[Decoded, int]:
        """Parse the rows of ``data``, which begins at ``offset``; return bytes done too."""
        raw = np.frombuffer(data, np.uint8)
        rows = len(raw) // _SHORTEST_ROW + 1
        readout, parts, done = self._readout, [], 0
        halves, values = np.empty(rows, np.int64), np.empty(rows)
        rejects = np.empty((_REJECTS, N_REJECT), np.int64)
        while True:
            words = np.empty(rows, np.uint64)
            counters = np.array([0, 0, 0, self.line])
            step = parse_rows(
                raw[done:], len(raw) - done, final, _MAX_LINE, self.order,
                readout.version == 2, readout.hit_head,
                readout.text_channel_base, readout.text_tdc_base,
                words, halves, values, rejects, counters,
            )  # fmt: skip
            n, n_half, n_reject, self.line = counters.tolist()
            half = values[:n_half].astype(np.float16).view(np.uint16)
            words[halves[:n_half]] |= half.astype(np.uint64)
            found = [
                _reject(RejectCode(code), data, done + begin, done + end, offset, line)
                for code, begin, end, line in rejects[:n_reject].tolist()
            ]
            parts.append(Decoded(words[:n], found))
            done += step
            if n_reject < _REJECTS and n < rows:
                return joined(parts), done


def _reject(code: RejectCode, data: bytes, begin: int, end: int, offset: int, line: int) -> Reject:
    return Reject(
        code=code,
        offset=offset + begin,
        length=end - begin,
        evidence=evidence(data[begin:end]).rstrip(b"\r\n"),
        line=line,
    )


class _LineDecoder:
    """Whole lines to words; holds back an unfinished one, within a limit.

    A line of more than ``_MAX_LINE`` bytes is one reject, given when it ends.
    """

    _long_code = RejectCode.BAD_COLUMN_COUNT

    def __init__(self, readout: Readout) -> None:
        self.position = 0
        self._rows = _Rows(readout)
        self._tail = b""
        self._long_begin: int | None = None
        self._long_evidence = b""

    def feed(self, data: bytes) -> Decoded:
        return self._take(self._tail + data if self._tail else data, final=False)

    def finish(self) -> Decoded:
        is_cut = bool(self._tail)
        decoded = self._take(self._tail, final=True)
        if is_cut and decoded.rejects and decoded.rejects[-1].code in _CUT:
            last = replace(decoded.rejects[-1], code=RejectCode.TRUNCATED)
            decoded = Decoded(decoded.words, [*decoded.rejects[:-1], last])
        return decoded

    def state(self) -> dict[str, Any]:
        return {
            "line": self._rows.line,
            "long_begin": self._long_begin,
            "long_evidence": self._long_evidence.decode("latin-1"),
        }

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
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
        if len(self._tail) > _MAX_LINE:
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
        )
        return Decoded(rejects=[reject])

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        raise NotImplementedError


class CsvDecoder(_LineDecoder):
    """CSV rows to words; see the module."""

    def __init__(self, readout: Readout) -> None:
        """Decode text of ``readout``."""
        super().__init__(readout)
        self._header: bytes | None = None
        self._unusable = False

    def state(self) -> dict[str, Any]:
        """Return the line number and the columns."""
        header = None if self._header is None else self._header.decode("latin-1")
        return super().state() | {
            "header": header,
            "order": self._rows.order.tolist(),
            "unusable": self._unusable,
        }

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``."""
        super().resume(position, state)
        self._header = None if state["header"] is None else state["header"].encode("latin-1")
        self._rows.order = np.array(state["order"], np.int64)
        self._unusable = bool(state["unusable"])

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        begin, parts = 0, []
        if self._header is None:
            begin = self._skip_blank_lines(data)
            end = data.find(b"\n", begin) + 1 or (len(data) if final else 0)
            if end == 0:
                return Decoded(), begin
            line = data[begin:end]
            self._header = b""
            if _is_header(line):
                parts.append(self._read_header(line, begin))
                begin = end
        if self._unusable:
            rest = data[begin:]
            whole = len(rest) if final else len(rest) // SLICE_BYTES * SLICE_BYTES
            code, at, line_number = RejectCode.BAD_HEADER, self.position + begin, self._rows.line
            slices = range(0, whole, SLICE_BYTES)
            ends = [min(first + SLICE_BYTES, whole) for first in slices]
            rejects = [
                _reject(code, rest, first, end, at, line_number)
                for first, end in zip(slices, ends, strict=True)
            ]
            return joined([*parts, Decoded(rejects=rejects)]), begin + whole
        part, done = self._rows.parse(data[begin:], self.position + begin, final=final)
        repeated = [r for r in part.rejects if not self._header or r.evidence != self._header]
        parts.append(Decoded(part.words, repeated))
        return joined(parts), begin + done

    def _begin_long_line(self) -> None:
        self._header = self._header or b""  # a line that long is no header
        super()._begin_long_line()

    def _skip_blank_lines(self, data: bytes) -> int:
        """Return where the first line begins that is not blank, after a byte order mark."""
        begin = len(_BOM) if self.position == 0 and data.startswith(_BOM) else 0
        filled = len(data) - len(data[begin:].lstrip(b" \t\r\n"))
        end = data.rfind(b"\n", begin, filled) + 1 or begin
        self._rows.line += data.count(b"\n", begin, end)
        return end

    def _read_header(self, line: bytes, begin: int) -> Decoded:
        self._rows.line += 1
        order = header_order(line)
        self._header = line.strip()
        if order is not None:
            self._rows.order = np.array(order, np.int64)
            return Decoded()
        self._unusable = True
        at = self.position + begin
        code, number = RejectCode.BAD_HEADER, self._rows.line
        return Decoded(rejects=[_reject(code, line, 0, len(line), at, number)])


def _is_header(line: bytes) -> bool:
    """Tell a header from a row: it has letters and no row begins with one."""
    is_short = len(line.rstrip(b"\n")) <= _MAX_LINE
    return is_short and line.strip(b' "\r\n\t')[:1].isalpha() and b"," in line


class JsonDecoder(_LineDecoder):
    """Lines of JSON objects to words; numbers may be strings, as the original sends them."""

    _long_code = RejectCode.BAD_JSON

    def __init__(self, readout: Readout) -> None:
        """Decode objects of ``readout``."""
        super().__init__(readout)
        self._names = np.zeros((_FIELDS, max(map(len, COLUMNS))), np.uint8)
        self._sizes = np.array([len(name) for name in COLUMNS], np.int64)
        for row, name in zip(self._names, COLUMNS, strict=True):
            row[: len(name)] = np.frombuffer(name.encode(), np.uint8)

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        size = len(data)
        if self.position == 0 and data.startswith(_BOM):
            data = b"   " + data[len(_BOM) :]
        if final and data and not data.endswith(b"\n"):
            data += b"\n"
        raw = np.frombuffer(data, np.uint8)
        out = np.empty(len(raw) + 1, np.uint8)
        first_line, at = self._rows.line, 0
        rows: list[bytes] = []
        rejects: list[Reject] = []
        counters = np.zeros(2, np.int64)
        while True:
            counters[0] = 0
            at = rows_of_objects(
                raw, at, len(raw), _MAX_LINE, self._names, self._sizes, out, counters
            )
            rows.append(out[: counters[0]].tobytes())
            end = data.find(b"\n", at) + 1
            if end == 0:
                break
            counters[1] += 1
            row = _row_of(data[at:end]) if end - 1 - at <= _MAX_LINE else None
            if row is None:
                line, last = first_line + int(counters[1]), min(end, size)
                rejects.append(_reject(RejectCode.BAD_JSON, data, at, last, self.position, line))
            rows.append(row or b"\n")
            at = end
        part, _ = self._rows.parse(b"".join(rows), 0, final=True)
        if part.rejects:
            ends = [0, *_line_ends(data)]
            for bad in part.rejects:
                line = bad.line or 0
                begin, end = ends[line - first_line - 1], min(ends[line - first_line], size)
                rejects.append(_reject(bad.code, data, begin, end, self.position, line))
            rejects.sort(key=lambda reject: reject.offset)
        return Decoded(part.words, rejects), min(at, size)


def _row_of(line: bytes) -> bytes | None:
    """Return the row of text for an object that is not plain, None if it is no hit."""
    try:
        values = orjson.loads(line)
        row = ",".join(_plain(values[name]).replace(",", " ") for name in COLUMNS)
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return " ".join(row.split()).encode("ascii", "replace") + b"\n"


def _plain(value: Any) -> str:
    """Return a number without an exponent, anything else as it is."""
    return np.format_float_positional(value) if isinstance(value, float) else str(value)


def _line_ends(data: bytes) -> list[int]:
    ends: list[int] = (np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n")) + 1).tolist()
    return ends
