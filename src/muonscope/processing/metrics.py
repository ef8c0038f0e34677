"""The numbers of a run as metrics for Prometheus: the same wherever they are served."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from muonscope.detector import Detector
from muonscope.results.message import ByteAccounting
from muonscope.transports.base import SourceStatus

__all__ = ["Metric", "behind", "counter", "counters", "gauge", "of_run", "registry_of"]

Metric = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


def registry_of(collect: Callable[[], Iterable[Metric]]) -> CollectorRegistry:
    """Return a registry that asks for all metrics anew each time, those of the process too."""
    registry = CollectorRegistry()
    registry.register(_Asked(collect))
    ProcessCollector(registry=registry)
    return registry


class _Asked(Collector):
    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterable[Metric]:
        return self._collect()


def of_run(
    detector: Detector,
    *,
    accounting: Mapping[str, int],
    hits: Iterable[int],
    account: ByteAccounting | None,
    windows: int,
) -> Iterator[Metric]:
    """Yield what is counted in a run: ``hits`` of each chamber, bytes if there is an ``account``.

    Chambers are told by their labels, which no two have in common. The sum of all words is no
    kind of its own, so that kinds can be added up.
    """
    kinds = {kind: n for kind, n in accounting.items() if kind != "words_in"}
    by_chamber = {c.label: n for c, n in zip(detector.chambers, hits, strict=True)}
    yield counters("words", "Words by what they were", "kind", kinds)
    yield counters("hits", "Hits of the run by chamber", "chamber", by_chamber)
    yield counter("windows", "Windows of the run", windows)
    if account is None:
        return
    fates = {"decoded": account.bytes_decoded, "rejected": account.bytes_rejected}
    yield counters("bytes", "Bytes taken in", "fate", fates)
    yield counters("rejects", "Pieces that could not be decoded", "code", account.rejects)


def behind(sources: Iterable[SourceStatus]) -> Iterator[Metric]:
    """Yield what is still to be read, of sources of which that is known; a metric for each unit."""
    families: dict[str, GaugeMetricFamily] = {}
    for source in sources:
        if source.behind is None:
            continue
        if source.unit not in families:
            families[source.unit] = GaugeMetricFamily(
                f"muonscope_behind_{source.unit}", f"Still to be read, {source.unit}",
                labels=["source", "partition"],
            )  # fmt: skip
        partition = "" if source.partition is None else str(source.partition)
        families[source.unit].add_metric([source.name, partition], source.behind)
    yield from families.values()


def counters(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    """Return counters that differ by a label."""
    family = CounterMetricFamily(f"muonscope_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def counter(name: str, text: str, value: int) -> Metric:
    """Return what only grows."""
    return CounterMetricFamily(f"muonscope_{name}", text, value)


def gauge(name: str, text: str, value: float) -> Metric:
    """Return what goes up and down."""
    return GaugeMetricFamily(f"muonscope_{name}", text, value)
