"""Metrics of a running process for Prometheus, on a port of this machine."""

import math
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.processing.inputs import Watch
from muonscope.processing.run import Run, Status

if TYPE_CHECKING:
    from muonscope.processing.metrics import Metric

__all__ = ["MetricsServer"]

_ADDRESS = "127.0.0.1"
_EVERY_S = 0.5


class MetricsServer:
    """Serves what it was given last at ``/metrics``; without a port it does nothing."""

    def __init__(self, port: int | None, detector: Detector) -> None:
        """Take the port, or None."""
        self._port, self._detector = port, detector
        self._run: list[Metric] = []
        self._source: list[Metric] = []
        self._taken_at = -math.inf

    def __enter__(self) -> Self:
        """Start to serve."""
        if self._port is not None:
            from prometheus_client import start_http_server

            from muonscope.processing.metrics import registry_of

            registry = registry_of(lambda: [*self._run, *self._source])
            try:
                self._server, self._thread = start_http_server(self._port, _ADDRESS, registry)
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

    def update(self, status: Status | None, run: Run, watch: Watch) -> None:
        """Take the numbers as they stand; without a ``status``, at the end, those of the run.

        Between, twice a second is enough: to see how far files go, they are looked up.
        """
        now = time.monotonic()
        if self._port is None or (status is not None and now < self._taken_at + _EVERY_S):
            return
        self._taken_at = now
        from muonscope.processing.metrics import behind, counter, counters, gauge, of_run

        total = run.total
        self._run = [
            *of_run(
                self._detector,
                accounting=total.accounting.as_dict(),
                hits=total.hits_per_chamber.tolist(),
                account=run.bytes,
                windows=run.windows,
            ),
            counters("messages", "Messages by what was noticed", "kind", watch.notices()),
        ]
        if status is not None:
            self._source = [
                *behind(watch.standing(run.positions)),
                gauge("orbit", "Orbit at which the clock stands", status.orbit or 0),
                counter("epochs", "Epochs begun", status.epochs),
            ]
