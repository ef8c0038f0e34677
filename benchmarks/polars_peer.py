"""The peer: the six results of the original pipeline in straightforward polars.

Total hits, hits per chamber, per channel, per orbit and chamber, channels in orbits with
a scintillator hit, and drift times, from one batch of words, on all cores that polars
takes. Windows are not made: the batch is one.
"""

from typing import Any

import numpy as np
import polars as pl

from muonscope.detector import Detector
from muonscope.words.layout import Words

__all__ = ["six_results"]


def six_results(words: Words, detector: Detector) -> dict[str, Any]:
    """Return the six results of v2 ``words`` by name."""
    word = pl.col("word")
    frame = pl.LazyFrame({"word": words}).select(
        head=word // 2**61,
        fpga=word // 2**58 % 8,
        channel=word // 2**49 % 512,
        orbit=word // 2**17 % 2**32,
        bx=word // 2**5 % 4096,
        tdc=word % 32,
    )
    good = (pl.col("head") == detector.readout.hit_head) & (pl.col("bx") < 3564)
    frame = frame.filter(good).with_columns(
        time=(pl.col("bx") * 30 + pl.col("tdc")).cast(pl.Int64), chamber=_chamber(detector)
    )
    scintillator = detector.scintillators[0]
    is_scintillator = (pl.col("fpga") == scintillator.fpga) & (
        pl.col("channel") == scintillator.channel
    )
    t0 = frame.filter(is_scintillator).group_by("orbit").agg(t0=pl.col("time").min())
    hits = frame.filter(pl.col("chamber") >= 0)
    selected = hits.join(t0, on="orbit").with_columns(ticks=pl.col("time") - pl.col("t0"))
    total, chambers, channels, orbits, scint, drift = pl.collect_all(
        [
            hits.select(pl.len()),
            hits.group_by("chamber").len(),
            hits.group_by("fpga", "channel").len(),
            hits.group_by("chamber", "orbit").len(),
            selected.group_by("fpga", "channel").len(),
            selected.select("chamber", "ticks"),
        ]
    )
    return {
        "total": total.item(),
        "chambers": dict(chambers.sort("chamber").iter_rows()),
        "channels": channels,
        "orbits": orbits,
        "scint": scint,
        "drift": drift,
    }


def _chamber(detector: Detector) -> pl.Expr:
    expression = pl.lit(-1, pl.Int64)
    for number, chamber in enumerate(detector.chambers):
        inside = pl.col("channel").is_between(chamber.first_channel, chamber.last_channel)
        expression = (
            pl.when((pl.col("fpga") == chamber.fpga) & inside)
            .then(pl.lit(number, pl.Int64))
            .otherwise(expression)
        )
    return expression


def fingerprint(results: dict[str, Any]) -> dict[str, int]:
    """Return numbers that two versions of the results must agree in."""
    ticks = results["drift"]["ticks"].to_numpy()
    return {
        "hits": int(results["total"]),
        "orbits": len(results["orbits"]),
        "orbit hits squared": int((results["orbits"]["len"].cast(pl.Int64) ** 2).sum()),
        "channels squared": int((results["channels"]["len"].cast(pl.Int64) ** 2).sum()),
        "scint": int(results["scint"]["len"].sum()),
        "drift ticks": int(np.sum(ticks)),
    }
