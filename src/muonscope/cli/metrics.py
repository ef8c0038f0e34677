"""Metrics of a running process for Prometheus, on a port of this machine."""

from types import TracebackType
from typing import Self

from muonscope.cli.supplies import Supply, TopicSupply
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.run import Run, Status

__all__ = ["Metrics"]

_ADDRESS = "127.0.0.1"


class Metrics:
    """Serves counters at ``/metrics`` while it is entered; without a port it does nothing."""

    def __init__(self, port: int | None, detector: Detector) -> None:
        """Take the port, or None."""
        self._port, self._detector = port, detector
        if port is not None:
            self._make()

    def _make(self) -> None:
        from prometheus_client import CollectorRegistry, Gauge

        self._registry = CollectorRegistry()

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"muonscope_{name}", text, labels, registry=self._registry)

        self._words = gauge("words_total", "Words by what they were", ("kind",))
        self._hits = gauge("hits_total", "Hits by chamber", ("chamber",))
        self._bytes = gauge("bytes_total", "Bytes taken in", ("fate",))
        self._windows = gauge("windows_total", "Windows published")
        self._rejects = gauge("rejects_total", "Pieces that could not be decoded", ("code",))
        self._lag = gauge("lag", "Messages, or bytes of files, still to be read")
        self._orbit = gauge("orbit", "Orbit at which the clock stands")
        self._epochs = gauge("epochs_total", "Epochs begun")
        self._notices = gauge("messages_total", "Messages by what was noticed", ("kind",))

    def __enter__(self) -> Self:
        """Start to serve."""
        if self._port is not None:
            from prometheus_client import start_http_server

            try:
                self._server, self._thread = start_http_server(self._port, _ADDRESS, self._registry)
            except OSError as exc:
                raise OptionError(
                    f"--metrics-port {self._port}: {exc.strerror or exc}; choose another"
                ) from exc
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to serve."""
        if self._port is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def update(self, status: Status | None, run: Run, supply: Supply) -> None:
        """Take the numbers as they stand."""
        if self._port is None:
            return
        self._take_total(run.total)
        account = run.bytes
        self._bytes.labels("decoded").set(account.bytes_decoded)
        self._bytes.labels("rejected").set(account.bytes_rejected)
        for code, count in account.rejects.items():
            self._rejects.labels(code).set(count)
        self._windows.set(run.windows)
        self._lag.set(supply.lag())
        if status is not None:
            self._orbit.set(status.orbit or 0)
            self._epochs.set(status.epochs)
        if isinstance(supply, TopicSupply):
            notices = supply.intake.book.notices
            for name in type(notices).__slots__:
                self._notices.labels(name).set(getattr(notices, name))

    def _take_total(self, total: Summary) -> None:
        for name, value in total.accounting.as_dict().items():
            self._words.labels(name).set(value)
        for chamber, hits in zip(
            self._detector.chambers, total.hits_per_chamber.tolist(), strict=True
        ):
            self._hits.labels(chamber.label).set(hits)
