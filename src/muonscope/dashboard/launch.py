"""Starting and stopping a dashboard: a feed, and a server that shows what it brings."""

import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import replace
from datetime import date
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvicorn

from muonscope._version import __version__
from muonscope.alarms.engine import Alarms
from muonscope.archiving.archivist import Archivist
from muonscope.archiving.folders import is_archive
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.dashboard.admission import access_of, prefix_of
from muonscope.dashboard.alarming import alarms_of
from muonscope.dashboard.archived_live import archived_live
from muonscope.dashboard.keeping import Keeper
from muonscope.dashboard.live import Live, LiveOptions
from muonscope.dashboard.options import DashboardOptions
from muonscope.dashboard.result_feeds import Feed, result_feed
from muonscope.dashboard.security import Access, PatientProtocol
from muonscope.dashboard.server import DashboardServer, make_app
from muonscope.dashboard.verdicts import Learner, LiveJudge
from muonscope.dashboard.word_feed import WordFeed, word_plan
from muonscope.errors import FormatError, MuonscopeError, OptionError, SinkError
from muonscope.events import Event, EventKind, Tell
from muonscope.intake.archived import ArchivedResults
from muonscope.intake.find_results import Found, detector_of_results, find_results
from muonscope.intake.opening import is_simulated
from muonscope.intake.pace import check_speed
from muonscope.options import made, sources_of
from muonscope.processing.profiles import read_profiles
from muonscope.processing.reporter import LogReporter
from muonscope.quality.judge import Judge
from muonscope.quality.reference import LEAST_WINDOWS, ReferenceBuilder
from muonscope.results.store import ResultStore, View
from muonscope.simulation.options import SCHEME, split_url
from muonscope.stopping import Stop, Stopped
from muonscope.transports.files import shown
from muonscope.transports.kafka.options import kafka_options
from muonscope.units import seconds
from muonscope.wording import describe

__all__ = ["Dashboard", "serve"]

_MOST_VIEWERS = 1_000
_GRACE_S = 2
_LOOK_S = 0.02


def serve(source: Any, *, tell: Tell | None = None, **options: Any) -> "Dashboard":
    """Serve a dashboard of words or results in the background; return it, to be stopped.

    Parameters
    ----------
    source
        A file, folder, glob or URL, or several files or folders: words or results.
    tell
        Takes what people should know; by default it goes to the log ``muonscope``.
    options
        As those of the command ``muonscope dashboard``, with ``_`` for ``-``: see
        :class:`~muonscope.dashboard.options.DashboardOptions`.

    Raises
    ------
    OptionError
        If options contradict one another, or one makes no sense.
    SinkError
        If the port cannot be listened on.
    SourceError
        If a source is not there.

    Examples
    --------
    >>> import muonscope
    >>> with muonscope.serve("sim:quiet", port=0) as dashboard:
    ...     dashboard.url.startswith("http://127.0.0.1:")
    True
    """
    wanted = made(DashboardOptions, {"sources": sources_of(source), **options})
    dashboard = Dashboard(wanted, tell or LogReporter().tell, Stop())
    dashboard.start()
    return dashboard


class Dashboard:
    """A dashboard: it listens from the beginning, and shows once it is started."""

    def __init__(self, options: DashboardOptions, tell: Tell, stop: Stop) -> None:
        """Look at the sources, and listen; ``stop`` ends it in order.

        Raises
        ------
        OptionError
            If options contradict one another, or one makes no sense.
        SinkError
            If the port cannot be listened on.
        SourceError
            If a source is not there.
        StateError
            If the state of the alarms cannot be used.
        Stopped
            If it was told to stop while something was waited for.
        """
        self._tell, self._stop = tell, stop
        access, prefix = access_of(options), prefix_of(options.prefix)
        check_speed(options.speed)
        self._socket = _listening(options)
        self.url = _url(options.host, self._socket.getsockname()[1], prefix)
        """Address of the page."""
        try:
            self._live, self._feed, self._alarms = _live_and_feed(options, self.url, stop, tell)
            self._server = _server(self._live, access, prefix, stop, _archive(options))
        except BaseException:
            self._socket.close()
            raise
        self._name = shown(" ".join(options.sources))
        self._opens = options.open
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve in this thread until it is told to stop; signals are heard in the main one."""
        feeding = threading.Thread(target=self._be_fed, daemon=True)
        with self._socket:
            self._tell(Event(kind=EventKind.SERVING, where=self._name, detail=self.url))
            if self._opens and _has_display():
                threading.Thread(target=webbrowser.open, args=(self.url,), daemon=True).start()
            with self._alarms or nullcontext():
                feeding.start()
                self._server.run(sockets=[self._socket])
                self._stop.set(self._stop.signal)
                feeding.join(_GRACE_S)

    def start(self) -> None:
        """Serve in another thread; return when the page can be asked for."""
        self._thread = threading.Thread(target=self.run, daemon=True, name="muonscope-dashboard")
        self._thread.start()
        while self._thread.is_alive() and not self._server.started:
            time.sleep(_LOOK_S)

    def stop(self) -> None:
        """End in order: let the viewers go, and stop what feeds the page."""
        self._stop.set()
        self._server.should_exit = True
        if self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        """Return the dashboard."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Dashboard of {self._name} on {self.url}>"

    def _repr_html_(self) -> str:
        return f'<a href="{escape(self.url)}" target="_blank">{escape(repr(self))}</a>'

    def _be_fed(self) -> None:
        """Run the feed to its end, whatever that is, and let the page say what it was."""
        failed = True
        try:
            reason = self._feed.run(self._live, self._stop)
            failed = False
        except MuonscopeError as exc:
            reason = str(exc)
        except Stopped:
            reason = ""
        except Exception as exc:  # the page must tell of whatever ends its feed
            logging.getLogger(__name__).exception("the feed of the dashboard failed")
            reason = f"internal error: {type(exc).__name__}: {exc}"
        if not self._stop:
            self._tell(Event(kind=EventKind.FEED_ENDED, detail=reason))
        self._live.end(reason, failed=failed)


def _live_and_feed(
    options: DashboardOptions, url: str, stop: Stop, tell: Tell
) -> tuple[Live, Feed, Alarms | None]:
    """Return the state of the dashboard, what brings it windows, and its alarms."""
    kafka = kafka_options(options.kafka_config, stop=stop, tell=tell, no_wait=options.no_wait)
    found = find_results(options.sources, kafka, stop, options.run)
    if isinstance(found, ArchivedResults):
        if options.archive or options.alarms:
            name = "--archive" if options.archive else "--alarms"
            raise OptionError(f"{name}: the source is an archive, which was judged before")
        live = archived_live(
            found, shown(" ".join(options.sources)),
            config=_shown(options, kafka.settings.masked()),
            reference=_reference(options, ReferenceBuilder(found.described), stop, tell),
        )  # fmt: skip
        return live, result_feed(found, options.speed, tell), None
    endless = replace(options, sources=tuple(map(_endless, options.sources)))
    plan = word_plan(endless, stop, tell)
    detector = detector_of_results(found, endless.sources, options.detector)
    plan = replace(plan, detector=detector)
    speed = _speed(options)
    store = ResultStore(
        plan.detector, run=options.run if found else "",
        blocks=WITH_TRACKS if found else plan.blocks,
        history_s=seconds(options.history, "--history"),
    )  # fmt: skip
    live_options = LiveOptions(
        source=shown(" ".join(options.sources)), version=__version__,
        window_s=plan.spec.window_s, speed=speed or 1.0,
        config=_shown(options, kafka.settings.masked()),
    )  # fmt: skip
    profiles, builder = read_profiles(options.profile), ReferenceBuilder(plan.detector)
    reference = _reference(options, builder, stop, tell)
    compared = builder.build(options.reference)

    archivist = None
    if options.archive and isinstance(found, ArchivedResults):
        raise OptionError("--archive: found an archive as the source, which is shown as it is")
    if options.archive:
        archivist = Archivist(options.archive, plan.detector, tell, time.time)

    def judge(run: str, day: date) -> Judge:
        known = compared
        if known is None and run and archivist:  # it was judged before this was stopped
            known = archivist.reference(run)
        return Judge(
            plan.detector, profiles=profiles, reference=known, auto=reference is None, today=day
        )

    def tell_all(event: Event) -> None:
        tell(event)
        live.remark(describe(event))

    feed = result_feed(found, speed, tell) if found else WordFeed(plan, speed, tell)
    alarms = alarms_of(
        options.alarms, plan.detector.name, url, tell_all,
        window_s=plan.spec.window_s / (speed or 1.0),
    )  # fmt: skip
    keeper = Keeper(archivist, options.archive, tell) if archivist else None
    watcher = LiveJudge(judge, alarms, keeper)
    live = Live(store, live_options, clock=time.time, reference=reference, watcher=watcher)
    if reference is not None and compared is None:
        numbers = {"whole": builder.windows, "least": LEAST_WINDOWS}
        short = Event(kind=EventKind.REFERENCE_SHORT, where=options.reference, numbers=numbers)
        tell(short)
        live.remark(describe(short))
    return live, feed, alarms


def _server(live: Live, access: Access, prefix: str, stop: Stop, archive: str) -> uvicorn.Server:
    _let_files_open()
    app = make_app(live, access, prefix=prefix, most_viewers=_MOST_VIEWERS, archive=archive)
    config = uvicorn.Config(
        app, http=PatientProtocol, ws="none", lifespan="on", log_level="error",
        access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S,
    )  # fmt: skip
    return DashboardServer(config, app, lambda: bool(stop))


def _archive(options: DashboardOptions) -> str:
    """Return the archive that the page of runs is of, if there is one."""
    first = Path(options.sources[0])
    if options.archive or not is_archive(first):
        return options.archive
    return str(first)


def _let_files_open() -> None:
    """Raise the number of connections that may be open, as far as is allowed."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listening(options: DashboardOptions) -> socket.socket:
    """Return a socket that listens; found out before anything slow is begun."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((options.host, options.port))
        listening.listen(1024)
    except OSError as exc:
        listening.close()
        raise SinkError(
            f"{options.host}:{options.port}: cannot be listened on: {exc.strerror or exc};"
            " choose another --port"
        ) from exc
    return listening


def _url(host: str, port: int, prefix: str) -> str:
    name = host if host not in {"0.0.0.0", "::"} else socket.gethostname()  # noqa: S104
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{port}{prefix}/"


def _has_display() -> bool:
    """Tell whether a browser can open a window; one in the terminal is not wanted."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _endless(source: str) -> str:
    """Return a simulation that does not end, unless it says where."""
    if not source.startswith(SCHEME):
        return source
    _, given = split_url(source)
    if "seconds" in given or "words" in given:
        return source
    return f"{source}{'&' if '?' in source else '?'}seconds=inf"


def _speed(options: DashboardOptions) -> float | None:
    """Return the pace: a simulation is a detector, which takes its time."""
    if options.speed is None and is_simulated(options.sources):
        return 1.0
    return options.speed


def _reference(
    options: DashboardOptions, builder: ReferenceBuilder, stop: Stop, tell: Tell
) -> View | None:
    """Return the whole of the run to compare with; its windows go to ``builder`` as well."""
    if not options.reference:
        return None
    detector = builder.detector
    store, learner = ResultStore(detector), Learner(builder)
    source = LiveOptions(source=options.reference)
    live = Live(store, source, clock=time.time, watcher=learner)
    kafka = kafka_options(options.kafka_config, stop=stop, tell=tell)
    found = find_results([options.reference], kafka, stop)
    if found:
        _take_all(found, live, stop)
    else:
        asked = replace(options, sources=(options.reference,), follow=False, run="", no_wait=True)
        plan = replace(word_plan(asked, stop, tell), detector=detector, blocks=store.blocks)
        try:
            WordFeed(plan, None, tell).run(live, stop)
        except MuonscopeError as exc:
            raise FormatError(f"--reference {options.reference}: {exc}") from exc
    view = store.view("run")
    if view is None and not stop:
        examples = live.status(0).examples
        raise FormatError(
            f"--reference {options.reference}: no window of {detector.name} is in it"
            + (f"; first: {examples[0]}" if examples else "")
        )
    return view


def _take_all(found: Found, live: Live, stop: Stop) -> None:
    for data, published_s in found.messages():
        if stop:
            break
        live.take(data, published_s)


def _plain(value: Any) -> Any:
    """Return the value of an option with its texts such that they can be written anywhere."""
    if isinstance(value, str):
        return shown(value)
    return [shown(text) for text in value] if isinstance(value, (list, tuple)) else value


def _shown(options: DashboardOptions, kafka: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration to show, secrets masked."""
    names = (
        "sources", "detector", "run", "window", "speed", "follow", "allow_duplicates",
        "history", "reference", "profile", "archive", "alarms",
        "host", "port", "insecure_open", "allow_host", "prefix", "kafka_config",
    )  # fmt: skip
    config = {name.replace("_", "-"): _plain(getattr(options, name)) for name in names}
    config["token"] = "***" if options.token_file else "none"
    return config | {f"kafka {name}": value for name, value in kafka.items()}
