"""What a dashboard shows as metrics for Prometheus: one unit each, no series per cell."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from msgspec.structs import asdict
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily

from muonscope.alarms.engine import AlarmCounts
from muonscope.dashboard.contract import STATES, Status
from muonscope.dashboard.freshness import LATENCY_BOUNDS_S, LatencyCounts
from muonscope.dashboard.verdict_contract import VERDICTS, ChamberVerdict, Verdict
from muonscope.detector import Detector
from muonscope.processing.metrics import (
    Metric,
    behind,
    counter,
    counters,
    gauge,
    of_run,
    registry_of,
)
from muonscope.results.message import ByteAccounting
from muonscope.transports.base import SourceStatus
from muonscope.wall_time import seconds_of

__all__ = ["CONTENT_TYPE", "Measured", "metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Measured(NamedTuple):
    """All that the metrics tell, at one moment."""

    status: Status
    detector: Detector
    hits: Sequence[int]
    """Of the run, by chamber."""
    latencies: LatencyCounts
    chambers: Sequence[ChamberVerdict]
    verdicts: Sequence[Verdict]
    turns: int
    """Verdicts that have turned since the dashboard began."""
    alarms: AlarmCounts | None = None
    """None where none are sent."""


def metrics(now: Measured) -> bytes:
    """Return the metrics as text."""
    return generate_latest(registry_of(lambda: _metrics(now)))


def _metrics(now: Measured) -> Iterator[Metric]:
    status = now.status
    yield from of_run(
        now.detector, accounting=asdict(status.accounting), hits=now.hits, account=_bytes(status),
        windows=status.windows,
    )  # fmt: skip
    dropped = {
        "malformed": status.malformed,
        "duplicates": status.duplicates,
        "other_runs": status.other_runs,
    }
    yield counters("messages_dropped", "Results that were not counted", "why", dropped)
    yield from behind(SourceStatus(**asdict(source)) for source in status.sources)
    yield _latency(now.latencies)
    yield _one_of("state", "1 for the state it is in", STATES, {(): status.state}, ())
    yield from _judged(now)
    labels = [chamber.label for chamber in now.detector.chambers]
    if status.rates:
        rates = dict(zip(labels, status.rates.chambers, strict=True))
        yield _gauges("rate_hertz", "Hits over ten seconds", "chamber", rates)
        yield gauge(
            "scintillator_rate_hertz", "Scintillator words over ten seconds",
            status.rates.scintillator,
        )  # fmt: skip
    yield gauge("viewers", "Browsers that are connected", status.viewers)
    if status.lag_s is not None:
        yield gauge("lag_seconds", "Detector time, later than at best in the run", status.lag_s)
    if status.age_s is not None:
        came = seconds_of(status.now) - status.age_s
        yield gauge("last_window_timestamp_seconds", "When the last window came", came)


def _judged(now: Measured) -> Iterator[Metric]:
    status = now.status
    yield _one_of("verdict", "1 for the verdict on the run", VERDICTS, {(): status.verdict}, ())
    yield gauge("problems", "Verdicts that are WARN or BAD and not known", status.problems)
    yield counter("verdict_changes", "Verdicts that turned", now.turns)
    labels = [chamber.label for chamber in now.detector.chambers]
    states: dict[tuple[str, ...], str] = {
        (label,): c.state for label, c in zip(labels, now.chambers, strict=True)
    }
    yield _one_of(
        "chamber_verdict", "1 for the verdict on a chamber", VERDICTS, states, ("chamber",)
    )
    cells = GaugeMetricFamily(
        "muonscope_cells", "Cells that are not well", labels=["chamber", "state"]
    )
    for label, chamber in zip(labels, now.chambers, strict=True):
        cells.add_metric([label, "dead"], chamber.dead)
        cells.add_metric([label, "noisy"], chamber.noisy)
    yield cells
    scores: dict[str, float] = {}
    for verdict in now.verdicts:
        scores[verdict.check] = max(scores.get(verdict.check, 0.0), verdict.score)
    yield _gauges("check_score_ratio", "The highest score; 1 is an alarm", "check", scores)
    if now.alarms:
        yield _gauges("alarms_firing", "Alarms that fire", "severity", now.alarms.firing)
        yield counter("alarms_failed", "Attempts in vain to send alarms", now.alarms.failed)


def _bytes(status: Status) -> ByteAccounting | None:
    if status.bytes is None:
        return None
    return ByteAccounting(**asdict(status.bytes), rejects=status.rejects)


def _latency(latencies: LatencyCounts) -> Metric:
    bounds = [*(f"{bound:g}" for bound in LATENCY_BOUNDS_S), "+Inf"]
    return HistogramMetricFamily(
        "muonscope_window_latency_seconds", "From the words to the broadcast",
        buckets=list(zip(bounds, accumulate(latencies.counts), strict=True)),
        sum_value=latencies.sum_s,
    )  # fmt: skip


def _one_of(
    name: str, text: str, every: Sequence[str], found: Mapping[tuple[str, ...], str],
    labels: tuple[str, ...],
) -> Metric:  # fmt: skip
    """Return a series for each state that there can be, 1 for the one that was ``found``."""
    family = GaugeMetricFamily(f"muonscope_{name}", text, labels=[*labels, "state"])
    for key, state in found.items():
        for one in every:
            family.add_metric([*key, one], state == one)
    return family


def _gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"muonscope_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
