"""The status of a dashboard as metrics for Prometheus."""

from collections.abc import Iterator, Sequence

from msgspec.structs import asdict
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily

from muonscope.dashboard.contract import STATES, Status
from muonscope.detector import Detector
from muonscope.processing.metrics import Metric, behind, counters, gauge, of_run, registry_of
from muonscope.results.message import ByteAccounting
from muonscope.transports.base import SourceStatus

__all__ = ["CONTENT_TYPE", "metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics(status: Status, detector: Detector, hits: Sequence[int]) -> bytes:
    """Return the status, and the hits of the run by chamber, as text."""
    return generate_latest(registry_of(lambda: _metrics(status, detector, hits)))


def _metrics(status: Status, detector: Detector, hits: Sequence[int]) -> Iterator[Metric]:
    yield from of_run(
        detector, accounting=asdict(status.accounting), hits=hits, account=_bytes(status),
        windows=status.windows,
    )  # fmt: skip
    dropped = {
        "malformed": status.malformed,
        "duplicates": status.duplicates,
        "other_runs": status.other_runs,
    }
    yield counters("messages_dropped", "Results that were not counted", "why", dropped)
    yield behind(SourceStatus(**asdict(source)) for source in status.sources)
    yield _latency(status)
    states = GaugeMetricFamily("muonscope_state", "1 for the state it is in", labels=["state"])
    for state in STATES:
        states.add_metric([state], status.state == state)
    yield states
    for name, text, value in (
        ("viewers", "Browsers that are connected", status.viewers),
        ("lag_seconds", "Detector time, later than at best in the run", status.lag_s),
        ("age_seconds", "Since the last window came", status.age_s),
    ):
        if value is not None:
            yield gauge(name, text, value)


def _bytes(status: Status) -> ByteAccounting | None:
    if status.bytes is None:
        return None
    return ByteAccounting(**asdict(status.bytes), rejects=status.rejects)


def _latency(status: Status) -> Metric:
    family = GaugeMetricFamily(
        "muonscope_window_latency_seconds", "From the words to the broadcast", labels=["quantile"]
    )
    if told := status.latency_ms:
        for quantile, ms in (("0.5", told.p50), ("0.99", told.p99)):
            family.add_metric([quantile], ms / 1e3)
    return family
