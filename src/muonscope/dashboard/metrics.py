"""The status of a dashboard as metrics for Prometheus."""

from collections.abc import Callable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

__all__ = ["CONTENT_TYPE", "metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Metric = CounterMetricFamily | GaugeMetricFamily


def metrics(status: dict[str, Any], hits: dict[str, int]) -> bytes:
    """Return the status document, and the hits of the run by chamber, as text."""
    registry = CollectorRegistry()
    registry.register(_Status(lambda: _metrics(status, hits)))
    return generate_latest(registry)


class _Status(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()


def _metrics(status: dict[str, Any], hits: dict[str, int]) -> Iterator[Metric]:
    yield _counter("words", "Words by what they were", "kind", status["accounting"])
    yield _counter("hits", "Hits of the run by chamber", "chamber", hits)
    yield _counter("bytes", "Bytes taken in", "fate", status["bytes"] or {})
    yield _counter("rejects", "Pieces that could not be decoded", "code", status["rejects"])
    names = ("malformed", "duplicates", "other_runs")
    dropped = {name: status[name] for name in names}
    yield _counter("messages_dropped", "Results that were not counted", "why", dropped)
    yield CounterMetricFamily("muonscope_windows", "Windows taken", status["windows"])
    behind = GaugeMetricFamily(
        "muonscope_behind", "Still to be read", labels=["source", "partition", "unit"]
    )
    for source in status["sources"]:
        if source["behind"] is not None:
            partition = "" if source["partition"] is None else str(source["partition"])
            behind.add_metric([source["name"], partition, source["unit"]], source["behind"])
    yield behind
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
        ("lag_seconds", "Detector time behind the wall clock", status["lag_s"]),
        ("age_seconds", "Since the last window came", status["age_s"]),
    ):
        if value is not None:
            yield GaugeMetricFamily(f"muonscope_{name}", text, value)


def _counter(name: str, text: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"muonscope_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
