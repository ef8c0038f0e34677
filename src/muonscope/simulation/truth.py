"""The truth of a simulation, as an Arrow table: muons, hits and faults, one row each.

A row says in ``kind`` what it is; columns that a kind does not have are null.

``hit``, one for every word, ``word`` being its number in the stream
    ``origin`` (a name of ``signals.Origin``, in small letters), ``muon``, ``fpga``; for channels
    ``channel``, for cells ``chamber``, ``layer``, ``wire``, for a muon's hits ``drift_mm`` and
    ``side``. Of a corrupt word they say what it was.
``muon``, one for every muon through a chamber or both scintillators
    ``muon`` (its number), ``time_s`` since the start of the run, ``orbit`` (the counter
    without faults) and ``ns`` in it, when it is at the middle height; ``x_mm`` and ``y_mm``
    at height 0, ``slope_x`` and ``slope_y`` (dx/dz, dy/dz), ``layers`` with a cell at its place
    in each chamber, ``scintillator`` if it crosses both. A muon of which a word is left may
    be later than the last muon here: ancillary words run ahead.
``fault``, one for every fault that was asked for
    ``fault`` as it was written, ``start_s``, ``end_s``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from muonscope.simulation.geometry import Addresses, addresses_of
from muonscope.simulation.options import Simulation
from muonscope.simulation.signals import NO_ADDRESS, Origin
from muonscope.simulation.telescope import Batch, MuonTruth
from muonscope.units import ORBIT_NS, ORBITS_PER_COUNTER
from muonscope.words.layout import fpga
from muonscope.words.parquet import METADATA_KEY, TRUTH

__all__ = ["TRUTH_COLUMNS", "TruthTables"]

_NAME = pa.dictionary(pa.int8(), pa.string())
_KINDS = ("hit", "muon", "fault")
_ORIGINS = [origin.name.lower() for origin in Origin]

TRUTH_COLUMNS: dict[str, Any] = {
    "kind": _NAME,
    "word": pa.int64(),
    "origin": _NAME,
    "muon": pa.int64(),
    "fpga": pa.uint8(),
    "channel": pa.uint16(),
    "chamber": pa.uint16(),
    "layer": pa.uint8(),
    "wire": pa.uint8(),
    "drift_mm": pa.float32(),
    "side": pa.int8(),
    "time_s": pa.float64(),
    "orbit": pa.uint32(),
    "ns": pa.float64(),
    "x_mm": pa.float64(),
    "y_mm": pa.float64(),
    "slope_x": pa.float64(),
    "slope_y": pa.float64(),
    "layers": pa.list_(pa.uint8()),
    "scintillator": pa.bool_(),
    "fault": pa.string(),
    "start_s": pa.float64(),
    "end_s": pa.float64(),
}
"""Names and Arrow types of the columns."""


class TruthTables:
    """Makes the tables of a simulation, batch by batch."""

    def __init__(self, simulation: Simulation) -> None:
        """Prepare; ``schema`` names the simulation in its metadata."""
        self._simulation = simulation
        self._addresses: Addresses = addresses_of(simulation.detector, simulation.cabling)
        self._words = 0
        about = {
            "content": TRUTH,
            "detector": simulation.detector.name,
            "profile": simulation.profile.name,
            "seed": simulation.seed,
            "rate_scale": simulation.rate_scale,
        }
        self.schema = pa.schema(list(TRUTH_COLUMNS.items()), {METADATA_KEY: orjson.dumps(about)})

    def faults(self) -> pa.Table:
        """Return the rows of the faults."""
        faults = self._simulation.faults
        return self._table(
            "fault", len(faults),
            fault=[fault.spec for fault in faults],
            start_s=[fault.start_s for fault in faults],
            end_s=[fault.end_s for fault in faults],
        )  # fmt: skip

    def muons(self, muons: MuonTruth) -> pa.Table:
        """Return the rows of muons."""
        orbit = np.floor(muons.ns / ORBIT_NS)
        counter = (orbit.astype(np.int64) + self._simulation.first_orbit) % ORBITS_PER_COUNTER
        n, chambers = muons.layers.shape
        ends = np.arange(n + 1, dtype=np.int32) * np.int32(chambers)
        return self._table(
            "muon", n,
            muon=muons.number, time_s=muons.ns * 1e-9, orbit=counter,
            ns=muons.ns - orbit * ORBIT_NS, x_mm=muons.x_mm, y_mm=muons.y_mm,
            slope_x=muons.slope_x, slope_y=muons.slope_y,
            layers=pa.ListArray.from_arrays(ends, muons.layers.ravel()),
            scintillator=muons.scintillator,
        )  # fmt: skip

    def hits(self, batch: Batch) -> pa.Table:
        """Return the rows of the next words."""
        stream, marks, places = batch.stream, batch.stream.whole_marks, self._addresses
        n, first = len(stream), self._words
        self._words += n
        has_channel = marks["address"] != NO_ADDRESS
        address = np.where(has_channel, marks["address"], 0).astype(np.int64)
        in_cell = has_channel & (places.chamber[address] >= 0)
        return self._table(
            "hit", n,
            word=np.arange(first, first + n),
            origin=pa.DictionaryArray.from_arrays(marks["origin"], _ORIGINS),
            muon=_where(stream.muon >= 0, stream.muon),
            fpga=fpga(stream.words, self._simulation.detector.readout.version),
            channel=_where(has_channel, places.channel[address]),
            chamber=_where(in_cell, places.chamber[address]),
            layer=_where(in_cell, places.layer[address]),
            wire=_where(in_cell, places.wire[address]),
            drift_mm=_where(marks["side"] != 0, marks["drift_mm"]),
            side=_where(marks["side"] != 0, marks["side"]),
        )  # fmt: skip

    def _table(self, kind: str, n: int, **columns: Any) -> pa.Table:
        kinds = pa.DictionaryArray.from_arrays(np.full(n, _KINDS.index(kind), np.int8), _KINDS)
        arrays = [
            columns[name].cast(field) if isinstance(columns.get(name), pa.Array)
            else pa.array(columns[name], field) if name in columns
            else pa.nulls(n, field)
            for name, field in TRUTH_COLUMNS.items()
            if name != "kind"
        ]  # fmt: skip
        return pa.Table.from_arrays([kinds, *arrays], schema=self.schema)


def _where(there: npt.NDArray[np.bool_], values: npt.NDArray[Any]) -> Any:
    """Return an Arrow array that is null where nothing is there."""
    return pa.array(values, mask=~there)
