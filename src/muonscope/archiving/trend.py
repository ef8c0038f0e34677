"""A counter of an archived run against time, made of its minutes."""

from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import compute

from muonscope.quality.verdict import State
from muonscope.units import ORBIT_S

__all__ = ["TREND_COLUMNS", "trend_table"]

TREND_COLUMNS = ("epoch", "minute", "first_orbit", "windows", "at", "state", "live_orbits")
"""What is asked of minutes, besides the counter."""


def trend_table(minutes: pa.Table, counter: str, length: int) -> pa.Table:
    """Return ``counter`` in rows of ``length`` minutes, in the order of time.

    ``begin_s`` is where a row begins, s of detector time since the first window of its epoch;
    ``state`` the worst one; ``hz`` is NaN where the telescope was not alive.
    """
    bucket = compute.divide(minutes["minute"].cast(pa.int64()), length)
    ranks = {state.label: int(state) for state in State}
    states = [ranks[label] for label in minutes["state"].to_pylist()]
    minutes = minutes.append_column("bucket", bucket).set_column(
        minutes.column_names.index("state"), "state", pa.array(states, pa.int64())
    )
    sums = minutes.group_by(["epoch", "bucket"], use_threads=False).aggregate(
        [("first_orbit", "min"), ("at", "max"), ("live_orbits", "sum"), (counter, "sum"),
         ("state", "max"), ("windows", "sum")]
    )  # fmt: skip
    live = np.asarray(sums["live_orbits_sum"].to_numpy(), np.float64) * ORBIT_S
    n = sums[f"{counter}_sum"].to_numpy()
    hz = np.divide(n, live, out=np.full(len(n), np.nan), where=live > 0)
    return pa.table({
        "epoch": sums["epoch"], "begin_s": _begin_s(sums), "at": sums["at_max"],
        "windows": sums["windows_sum"], "live_s": live, "n": n, "hz": hz,
        "state": [State(s).label for s in sums["state_max"].to_pylist()],
    })  # fmt: skip


def _begin_s(sums: pa.Table) -> Any:
    epochs = sums["epoch"].to_numpy()
    first = np.asarray(sums["first_orbit_min"].to_numpy(), np.float64)
    known, which = np.unique(epochs, return_inverse=True)
    begin = np.full(len(known), np.inf)
    np.minimum.at(begin, which, first)
    return (first - begin[which]) * ORBIT_S
