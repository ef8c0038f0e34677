"""Text: one row of six numbers per word (CSV and other tables), or JSON.

A header is optional in tables and may order the columns at will, see
:mod:`muonscope.words.tables`. Channel and TDC are written with the bases of the read-out (v1
text counts channels from 1 and ticks from 0). HEAD 4 and 5 of v2 words carry a half-precision
number, printed with six decimals, as the DAQ does, or with eight where six do not give it back.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from muonscope.detector import Readout
from muonscope.words._parse_json import rows_of_objects
from muonscope.words.codec import Decoded, joined
from muonscope.words.json_rows import ArrayItems, begins_array, problem_of, row_of
from muonscope.words.layout import COLUMNS
from muonscope.words.lines import BOM, LineDecoder, line_ends, reject_of
from muonscope.words.reasons import LONGEST_LINE, TOO_LONG
from muonscope.words.rejects import SLICE_BYTES, Reject, RejectCode, evidence
from muonscope.words.tables import (
    EXAMPLE,
    PLAIN,
    Layout,
    column_names,
    header_problem,
    is_comment,
    layout_of,
    with_row_names,
)

__all__ = ["LAYOUT_BYTES", "CsvDecoder", "JsonDecoder"]

LAYOUT_BYTES = 1 << 12
"""How much of a table may come before the line that tells its layout."""

_FIELDS = len(COLUMNS)
_BLANK = b" \t\r\n"


class CsvDecoder(LineDecoder):
    """Rows of a table to words; see the module.

    The first line that is a header or six numbers tells the layout. Comments before it are
    skipped, other lines rejected; where none does within ``LAYOUT_BYTES``, it is the usual one.
    """

    def __init__(self, readout: Readout) -> None:
        """Decode text of ``readout``."""
        super().__init__(readout)
        self._header: bytes | None = None
        self._is_told = self._unusable = False

    def state(self) -> dict[str, Any]:
        """Return the line number and the columns."""
        layout, header = self._rows.layout, self._header
        return super().state() | {
            "header": None if header is None else header.decode("latin-1"),
            "separator": layout.separator,
            "columns": list(layout.columns),
            "told": self._is_told,
            "unusable": self._unusable,
        }

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``; states of 0.1.0 know commas and six columns only."""
        super().resume(position, state)
        self._header = None if state["header"] is None else state["header"].encode("latin-1")
        columns = tuple(map(int, state["columns"] if "columns" in state else state["order"]))
        self._rows.layout = Layout(separator=state.get("separator", ","), columns=columns)
        self._is_told = bool(state.get("told", self._header is not None))
        self._unusable = bool(state["unusable"])

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        begin, parts = 0, [Decoded()]
        if not self._is_told:
            begin = self._find_layout(data, parts, final=final)
            if not self._is_told:
                return joined(parts), begin
        if self._unusable:
            part, done = self._refuse(data[begin:], self.position + begin, final=final)
            return joined([*parts, part]), begin + done
        part, done = self._rows.parse(data[begin:], self.position + begin, final=final)
        if self._header and part.rejects:
            repeated = evidence(self._header)
            part = Decoded(part.words, [r for r in part.rejects if r.evidence != repeated])
        return (joined([*parts, part]) if begin else part), begin + done

    def _find_layout(self, data: bytes, parts: list[Decoded], *, final: bool) -> int:
        """Read lines until one tells the layout; return where the rows begin."""
        begin = len(BOM) if self.position == 0 and data.startswith(BOM) else 0
        while not self._is_told:
            begin = self._skip_blank_lines(data, begin)
            end = _end_of_line(data, begin, final=final)
            if end == 0:
                return begin
            line = data[begin:end]
            too_far = self._header is not None and self.position + begin >= LAYOUT_BYTES
            too_far = too_far or len(line) > LONGEST_LINE // 2  # room for the row after a header
            layout = PLAIN if too_far else layout_of(line)
            names = [] if layout or self._header == b"" else column_names(line)
            if layout and layout.has_header and not layout.is_plain:
                first = self._first_row(data, end, final=final)
                if first is None:
                    return begin
                layout = with_row_names(layout, first)
            if layout:
                self._is_told, self._rows.layout = True, layout
                self._header = line.strip() if layout.has_header else b""
            elif names:
                self._is_told = self._unusable = True
                self._header = line.strip()
                number, at = self._rows.line + 1, self.position + begin
                reason = header_problem(names)
                reject = reject_of(RejectCode.BAD_HEADER, line, at, number, reason)
                parts.append(Decoded(rejects=[reject]))
            elif not is_comment(line):
                self._header = b""
                part, _ = self._rows.parse(line, self.position + begin, final=True)
                parts.append(part)
                begin = end
                continue
            if layout is None or layout.has_header:
                self._rows.line += 1
                begin = end
        return begin

    def _first_row(self, data: bytes, begin: int, *, final: bool) -> bytes | None:
        """Return the first line from ``begin`` on that is not blank; None if it must come yet.

        Nothing if there is none within ``LAYOUT_BYTES``.
        """
        at = begin
        while (end := _end_of_line(data, at, final=final)) and end - begin <= LAYOUT_BYTES:
            if data[at:end].strip(_BLANK):
                return data[at:end]
            at = end
        return b"" if final or end or len(data) - begin >= LAYOUT_BYTES else None

    def _refuse(self, data: bytes, offset: int, *, final: bool) -> tuple[Decoded, int]:
        """Reject rows whose columns nobody knows, slice by slice."""
        whole = len(data) if final else len(data) // SLICE_BYTES * SLICE_BYTES
        reason = f"rows after a header without the six names; expected rows like {EXAMPLE}"
        rejects = [
            reject_of(
                RejectCode.BAD_HEADER, data[at : min(at + SLICE_BYTES, whole)], offset + at,
                self._rows.line, reason,
            )
            for at in range(0, whole, SLICE_BYTES)
        ]  # fmt: skip
        return Decoded(rejects=rejects), whole

    def _begin_long_line(self) -> None:
        self._is_told = True  # a line that long tells nothing
        self._header = self._header or b""
        super()._begin_long_line()

    def _skip_blank_lines(self, data: bytes, begin: int) -> int:
        """Return where the first line from ``begin`` on begins that is not blank."""
        filled = len(data) - len(data[begin:].lstrip(_BLANK))
        end = data.rfind(b"\n", begin, filled) + 1 or begin
        self._rows.line += data.count(b"\n", begin, end)
        return end


def _end_of_line(data: bytes, begin: int, *, final: bool) -> int:
    """Return where the line from ``begin`` on ends, 0 if it is not there whole."""
    return data.find(b"\n", begin) + 1 or (len(data) if final and begin < len(data) else 0)


class JsonDecoder(LineDecoder):
    """JSON to words: lines of objects or of arrays of six, or one array of such items.

    Numbers may be strings, as the original sends them. Of one array, items count as lines.
    """

    _long_code = RejectCode.BAD_JSON

    def __init__(self, readout: Readout) -> None:
        """Decode objects of ``readout``."""
        super().__init__(readout)
        self._names = np.zeros((_FIELDS, max(map(len, COLUMNS))), np.uint8)
        self._sizes = np.array([len(name) for name in COLUMNS], np.int64)
        for row, name in zip(self._names, COLUMNS, strict=True):
            row[: len(name)] = np.frombuffer(name.encode(), np.uint8)
        self._is_begun = False
        self._items: ArrayItems | None = None

    def feed(self, data: bytes) -> Decoded:
        """Take the next bytes."""
        if not self._is_begun:
            data, self._tail = self._tail + data, b""
            is_array = begins_array(data.removeprefix(BOM))
            if is_array is None and len(data) <= LONGEST_LINE:
                self._tail = data
                return Decoded()
            self._is_begun = bool(data.removeprefix(BOM).strip(_BLANK))
            self._items = ArrayItems() if is_array else None
        return super().feed(self._items.lines(data) if self._items else data)

    def state(self) -> dict[str, Any]:
        """Return the line number, and where in an array the next line begins."""
        at_line = self._long_begin is None
        items = self._items.state(at_line=at_line) if self._items else None
        return super().state() | {"begun": self._is_begun, "items": items}

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``; states of 0.1.0 know lines of objects only."""
        super().resume(position, state)
        self._is_begun, items = bool(state.get("begun", position > 0)), state.get("items")
        self._items = None if items is None else ArrayItems(*items)

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        size = len(data)
        if self.position == 0 and data.startswith(BOM):
            data = b"   " + data[len(BOM) :]
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
                raw, at, len(raw), LONGEST_LINE, self._names, self._sizes, out, counters
            )
            rows.append(out[: counters[0]].tobytes())
            end = data.find(b"\n", at) + 1
            if end == 0:
                break
            counters[1] += 1
            line = data[at:end]
            too_long = len(line) - 1 > LONGEST_LINE
            row = None if too_long else row_of(line)
            if row is None:
                number = first_line + int(counters[1])
                reason = TOO_LONG if too_long else problem_of(line)
                code, shown, where = (
                    RejectCode.BAD_JSON,
                    data[at : min(end, size)],
                    self.position + at,
                )
                rejects.append(reject_of(code, shown, where, number, reason))
            rows.append(row or b"\n")
            at = end
        part, _ = self._rows.parse(b"".join(rows), 0, final=True)
        if part.rejects:
            ends = [0, *line_ends(data)]
            for bad in part.rejects:
                number = bad.line or 0
                begin = ends[number - first_line - 1]
                shown = data[begin : min(ends[number - first_line], size)]
                rejects.append(
                    reject_of(bad.code, shown, self.position + begin, number, bad.reason)
                )
            rejects.sort(key=lambda reject: reject.offset)
        return Decoded(part.words, rejects), min(at, size)
