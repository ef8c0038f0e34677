"""The words of a window by channel, and where every one of them went.

Each class of clock words (cells, scintillators, firmware triggers) and each kind of words
without a usable time is counted; the accounting and the hits per channel follow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from muonscope.counting.block import (
    COUNT_SCHEMA,
    Arrays,
    Block,
    Counts,
    Fragment,
    Histograms,
    IntArray,
    Message,
    Read,
    Shown,
    Table,
    Tables,
    Writer,
    by_chamber,
)
from muonscope.counting.blocks._channels import channel_hist
from muonscope.counting.blocks._sparse import SPARSE, read_channels, sparse_channels
from muonscope.counting.told import MOST_COUNT, Told, part, whole
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["Accounting", "WordCounts", "account_of"]

_INVALID = {
    "head": Timeless.INVALID_HEAD,
    "bx": Timeless.INVALID_BX,
    "orbit": Timeless.INVALID_ORBIT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """Where the words went."""

    words_in: int
    """The sum of the others here; a run compares it with the words that it was given."""
    hits: int
    """Words on cells."""
    scintillator: int
    trigger: int
    """Words on firmware-trigger channels."""
    ancillary: int
    unmapped: int
    """Hit words on channels that the detector does not know."""
    invalid: int
    """Words of an unknown HEAD, with BX >= 3564, or with an orbit alone."""
    late: int
    """Clock words that came after their window closed."""

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name, ``words_in`` first."""
        return {name: getattr(self, name) for name in _ACCOUNTS}


_ACCOUNTS = tuple(f.name for f in fields(Accounting))


def account_of(detector: Detector, arrays: Arrays) -> Accounting:
    """Return where the words of one Summary went."""
    rows = {name: arrays[name][None] for name in ("class_words", "other_words")}
    return Accounting(**_accounts(detector, rows)[0])


def _accounts(detector: Detector, arrays: Arrays) -> list[dict[str, int]]:
    """Return the accounts of rows of ``class_words`` and ``other_words``, shape (n, ...)."""
    words, other = arrays["class_words"], arrays["other_words"]
    cells, split = detector.n_cells, detector.n_cells + len(detector.scintillators)
    columns = {
        "words_in": words.sum(axis=1) + other.sum(axis=1),
        "hits": words[:, :cells].sum(axis=1),
        "scintillator": words[:, cells:split].sum(axis=1),
        "trigger": words[:, split:].sum(axis=1),
        "ancillary": other[:, Timeless.ANCILLARY],
        "unmapped": other[:, Timeless.UNMAPPED],
        "invalid": other[:, Timeless.INVALID_HEAD : Timeless.INVALID_ORBIT + 1].sum(axis=1),
        "late": other[:, Timeless.LATE],
    }
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [dict(zip(columns, row, strict=True)) for row in rows]


class WordCounts(Block):
    """Words per class and per kind: ``class_words`` and ``other_words``."""

    name = "words"
    fused = True
    by_window = frozenset({"class_words", "other_words"})

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return one entry per cell, scintillator and trigger; and one per Timeless."""
        specials = len(detector.scintillators) + len(detector.firmware_triggers)
        return {
            "class_words": (detector.n_cells + specials,),
            "other_words": (len(Timeless),),
        }

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write hits, accounting, and hits per channel."""
        hits = _hits(table.detector, table.columns)
        channels = sparse_channels(table, hits)
        chamber_hits = by_chamber(table.detector, hits).tolist() if len(table) else []
        accounts = _accounts(table.detector, table.columns)
        kinds = table.columns["other_words"][:, list(_INVALID.values())].tolist()

        def write(i: int, message: Message, chambers: Sequence[Message]) -> None:
            account = accounts[i]
            message["total_hits"], message["accounting"] = account["hits"], account
            message["scintillator_hits"] = account["scintillator"]
            if account["invalid"]:
                message["invalid_by_kind"] = dict(zip(_INVALID, kinds[i], strict=True))
            for n, (chamber, mine) in enumerate(
                zip(chambers, chamber_hits[i], strict=True), i * len(chambers)
            ):
                chamber["total_hits"], chamber["hist_CHANNEL"] = mine, channels(n)

        return write

    def read(self, told: Told) -> Read:
        """Read the hits per channel, and the other words as the accounting tells them."""
        detector = told.detector
        hits = read_channels(told, "hist_CHANNEL")
        said = part(told.message, "accounting")
        account = {name: whole(said, name, MOST_COUNT) for name in _ACCOUNTS}
        specials = np.zeros(self.shapes(detector)["class_words"][0] - len(hits), np.int64)
        for name, at, there in (
            ("scintillator", 0, detector.scintillators),
            ("trigger", len(detector.scintillators), detector.firmware_triggers),
        ):
            if account[name] and not there:
                raise FormatError(
                    f"accounting.{name}: found {account[name]}, but {detector.name} has none"
                )
            if there:
                specials[at] = account[name]
        arrays = {
            "class_words": np.concatenate([hits, specials]),
            "other_words": _read_others(told.message, account),
        }
        counted = account_of(detector, arrays)
        if counted.as_dict() != account:
            raise FormatError(f"accounting: found {account}, the counts give {counted.as_dict()}")
        return Read(arrays=arrays)

    def schema(self) -> Fragment:
        """Return the schema of hits, accounting, and hits per channel."""
        account = {
            "type": "object",
            "description": "words_in is the sum of the others.",
            "required": list(_ACCOUNTS),
            "additionalProperties": COUNT_SCHEMA,
        }
        kinds: dict[str, Any] = {
            "type": "object",
            "description": "Only where accounting.invalid is not 0: its words by their reason.",
            "required": list(_INVALID),
            "additionalProperties": False,
            "properties": dict.fromkeys(_INVALID, COUNT_SCHEMA),
        }
        channel = {"$ref": "#/$defs/sparse", "description": "Hits per TDC channel."}
        return Fragment(
            message={
                "total_hits": COUNT_SCHEMA, "scintillator_hits": COUNT_SCHEMA,
                "accounting": account, "invalid_by_kind": kinds,
            },
            chamber={"total_hits": COUNT_SCHEMA, "hist_CHANNEL": channel},
            optional=("invalid_by_kind",),
            definitions=SPARSE,
        )  # fmt: skip

    def hists(self, counts: Counts) -> Histograms:
        """Return ``channel``: hits by chamber and TDC channel."""
        hits = counts.arrays["class_words"][: counts.detector.n_cells]
        return {"channel": channel_hist(counts.detector, hits)}

    def tables(self, shown: Shown) -> Tables:
        """Return the hits per chamber and per cell."""
        detector = shown.summary.detector
        hits = shown.summary.arrays["class_words"][: detector.n_cells]
        cells = np.split(hits, [detector.first_cell(c) for c in range(1, detector.n_chambers)])
        return {"chambers": {"hits": by_chamber(detector, hits)}} | {
            f"cells{c}": {"hits": mine.copy()} for c, mine in enumerate(cells)
        }

    def trend(self, counts: Counts) -> dict[str, int]:
        """Return the accounting, and the hits of each chamber."""
        detector = counts.detector
        account = account_of(detector, counts.arrays).as_dict()
        hits = by_chamber(detector, counts.arrays["class_words"][: detector.n_cells])
        return account | {f"hits{c}": n for c, n in enumerate(hits.tolist())}


def _hits(detector: Detector, columns: Arrays) -> IntArray:
    """Return the hits of each cell, shape (n, n_cells)."""
    return np.ascontiguousarray(columns["class_words"][:, : detector.n_cells])


def _read_others(message: Message, account: dict[str, int]) -> IntArray:
    """Return the words without a usable time by kind.

    Messages without kinds count all invalid words as of an unknown HEAD.
    """
    other = np.zeros(len(Timeless), np.int64)
    for name in ("ancillary", "unmapped", "late"):
        other[Timeless[name.upper()]] = account[name]
    other[Timeless.INVALID_HEAD] = account["invalid"]
    if "invalid_by_kind" in message:
        kinds = part(message, "invalid_by_kind")
        for name, kind in _INVALID.items():
            other[kind] = whole(kinds, name, MOST_COUNT)
    return other
