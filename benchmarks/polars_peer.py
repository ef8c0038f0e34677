"""The peer: the six results of the original pipeline in polars, straightforward and lazy.

Total hits, hits per chamber, per channel, per orbit and chamber, channels in orbits with
a scintillator hit, and drift times, each list in ascending order as in the messages, from
one batch of words, on all cores that polars takes. Windows are not made: the batch is
one. ``straightforward`` is what one writes first, a frame and a query per result;
``lazy`` hands all queries to the optimiser at once.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from muonscope.detector import Detector
from muonscope.words.layout import Words

__all__ = ["fingerprint", "hundredths", "lazy", "straightforward"]


def straightforward(words: Words, detector: Detector) -> list[pl.DataFrame]:
    """Return the six results of v2 ``words``, one step after the other."""
    queries = _six(words, detector, lambda frame: frame.collect().lazy())
    return [query.collect() for query in queries]


def lazy(words: Words, detector: Detector) -> list[pl.DataFrame]:
    """Return the same, all steps optimised together."""
    return pl.collect_all(_six(words, detector, lambda frame: frame))


def _six(
    words: Words, detector: Detector, step: Callable[[pl.LazyFrame], pl.LazyFrame]
) -> list[pl.LazyFrame]:
    frame = step(pl.LazyFrame({"word": words}).with_columns(_fields()))
    frame = step(step(frame.filter(_is_hit(detector))).with_columns(_derived(detector)))
    scintillator = step(frame.filter(_is_scintillator(detector)))
    t0 = step(scintillator.group_by("orbit").agg(t0=pl.col("time_ns").min()))
    hits = step(frame.filter(pl.col("chamber") >= 0))
    selected = step(step(hits.join(t0, on="orbit")).with_columns(_drift(detector)))
    return _queries(hits, selected)


def _fields() -> list[pl.Expr]:
    word = pl.col("word")
    return [
        (word // 2**61).alias("head"),
        (word // 2**58 % 8).alias("fpga"),
        (word // 2**49 % 512).alias("channel"),
        (word // 2**17 % 2**32).alias("orbit"),
        (word // 2**5 % 4096).alias("bx"),
        (word % 32).alias("tdc"),
    ]


def _is_hit(detector: Detector) -> pl.Expr:
    return (pl.col("head") == detector.readout.hit_head) & (pl.col("bx") < 3564)


def _derived(detector: Detector) -> list[pl.Expr]:
    chamber = pl.lit(-1, pl.Int64)
    for number, described in enumerate(detector.chambers):
        inside = pl.col("channel").is_between(described.first_channel, described.last_channel)
        chamber = (
            pl.when((pl.col("fpga") == described.fpga) & inside)
            .then(pl.lit(number, pl.Int64))
            .otherwise(chamber)
        )
    time_ns = 25 * (pl.col("orbit") * 3564 + pl.col("bx") + pl.col("tdc") / 30)
    return [time_ns.alias("time_ns"), chamber.alias("chamber")]


def _drift(detector: Detector) -> pl.Expr:
    offsets = {n: chamber.drift_offset_ns for n, chamber in enumerate(detector.chambers)}
    offset = pl.col("chamber").replace_strict(offsets, return_dtype=pl.Float64)
    return (pl.col("time_ns") - pl.col("t0") + offset).alias("drift_ns")


def _is_scintillator(detector: Detector) -> pl.Expr:
    scintillator = detector.scintillators[0]
    return (pl.col("fpga") == scintillator.fpga) & (pl.col("channel") == scintillator.channel)


def _queries(hits: pl.LazyFrame, selected: pl.LazyFrame) -> list[pl.LazyFrame]:
    return [
        hits.select(pl.len()),
        hits.group_by("chamber").len().sort("chamber"),
        hits.group_by("fpga", "channel").len().sort("fpga", "channel"),
        hits.group_by("chamber", "orbit").len().sort("chamber", "orbit"),
        selected.group_by("fpga", "channel").len().sort("fpga", "channel"),
        selected.select("chamber", "orbit", "drift_ns").sort("chamber", "orbit", "drift_ns"),
    ]


def hundredths(times_ns: npt.NDArray[np.float64]) -> int:
    """Return the sum of times that are rounded to 0.01 ns, in hundredths."""
    return int(np.rint(times_ns * 100).astype(np.int64).sum())


def fingerprint(results: list[pl.DataFrame]) -> dict[str, int]:
    """Return numbers that two versions of the results must agree in."""
    total, _, channels, orbits, scint, drift = results
    return {
        "hits": int(total.item()),
        "orbits": len(orbits),
        "orbit hits squared": int((orbits["len"].cast(pl.Int64) ** 2).sum()),
        "channels squared": int((channels["len"].cast(pl.Int64) ** 2).sum()),
        "scint": int(scint["len"].sum()),
        "drift": hundredths(drift["drift_ns"].to_numpy()),
    }
