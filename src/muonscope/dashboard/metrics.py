"""The status of a dashboard as metrics for Prometheus."""

from collections.abc import Iterator, Sequence
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily

from muonscope.detector import Detector
from muonscope.processing.metrics import Metric, behind, counters, gauge, of_run, registry_of
from muonscope.results.message import ByteAccounting
from muonscope.transports.base import SourceStatus

__all__ = ["CONTENT_TYPE", "metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(status: dict[str, Any], detector: Detector, hits: Sequence[int]) -> bytes:
    """Return the status document, and the hits of the run by chamber, as text."""
    return generate_latest(registry_of(lambda: _metrics(status, detector, hits)))


def _metrics(status: dict[str, Any], detector: Detector, hits: Sequence[int]) -> Iterator[Metric]:
    account = status["bytes"] and ByteAccounting(**status["bytes"], rejects=status["rejects"])
    yield from of_run(
        detector, accounting=status["accounting"], hits=hits, account=account,
        windows=status["windows"],
    )  # fmt: skip
    dropped = {name: status[name] for name in ("malformed", "duplicates", "other_runs")}
    yield counters("messages_dropped", "Results that were not counted", "why", dropped)
    yield behind(SourceStatus(**source) for source in status["sources"])
    latency = GaugeMetricFamily(
        "muonscope_window_latency_seconds", "From the words to the broadcast", labels=["quantile"]
    )
    for name, quantile in (("p50", "0.5"), ("p99", "0.99")):
        if status["latency_ms"]:
            latency.add_metric([quantile], status["latency_ms"][name] / 1e3)
    yield latency
    states = GaugeMetricFamily("muonscope_state", "1 for the state it is in", labels=["state"])
    for state in ("waiting", "receiving", "stale", "stopped"):
        states.add_metric([state], status["state"] == state)
    yield states
    for name, text, value in (
        ("viewers", "Browsers that are connected", status["viewers"]),
        ("lag_seconds", "Detector time, later than at best in the run", status["lag_s"]),
        ("age_seconds", "Since the last window came", status["age_s"]),
    ):
        if value is not None:
            yield gauge(name, text, value)
