"""The ``dashboard`` and ``demo`` commands: a feed, and a server that shows what it brings."""

import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import uvicorn

from muonscope import __version__
from muonscope.dashboard.feeds import GROUP, Feed, WordFeed
from muonscope.dashboard.find_results import Found, find_results
from muonscope.dashboard.live import Live
from muonscope.dashboard.security import LOOPBACK, Access, PatientProtocol, is_loopback
from muonscope.dashboard.server import DashboardServer, make_app
from muonscope.detector import Detector
from muonscope.errors import MuonscopeError, OptionError, SinkError
from muonscope.intake.pace import check_speed
from muonscope.kernels import set_pace
from muonscope.processing import plan as plans
from muonscope.results.store import ResultStore, View
from muonscope.say import say
from muonscope.simulation.options import SCHEME, split_url
from muonscope.stopping import Stop, Stopped
from muonscope.transports.files import shown
from muonscope.units import seconds

__all__ = ["Options", "show_dashboard", "show_demo"]

_MOST_VIEWERS = 1_000
_GRACE_S = 2
_LONGEST_TOKEN = 4_096
_LOOK_AT = """
The dashboard shows a simulated telescope in real time. What to look at:
  Overview   is it well? the state in one word, the rate, every dropped word by its reason
  Chambers   two hot cells stand out in the maps (hover tells which); the drift-time boxes
             fill with each muon that the scintillator saw: watch the view "run"
  Trends     any counter against time; System: latency, sources, configuration
Pause and go back, switch counts and Hz, log scale, dark and light; the address keeps it all.
Ctrl-C ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as they were written."""

    sources: list[str]
    detector: str = ""
    host: str = "127.0.0.1"
    port: int = 5006
    open: bool = False
    run: str = ""
    window: str = "1s"
    speed: float | None = None
    follow: bool = False
    history: str = "2h"
    reference: str = ""
    token_file: str = ""
    insecure_open: bool = False
    allow_host: tuple[str, ...] = ()
    prefix: str = ""
    kafka_config: str = ""
    no_wait: bool = False


def show_demo(options: Options) -> int:
    """Show a simulated telescope, and tell what to look at; return the exit code."""
    return show_dashboard(options, greeting=_LOOK_AT)


def show_dashboard(options: Options, greeting: str = "") -> int:
    """Serve a dashboard until it is told to stop; return the exit code.

    Raises
    ------
    OptionError
        If options contradict one another, or one makes no sense.
    SinkError
        If the port cannot be listened on.
    """
    access = _access(options)
    prefix = _prefix(options.prefix)
    check_speed(options.speed)
    stop = Stop()
    with suppress(Stopped), stop.listening(), _listening(options) as listening:
        found = find_results(options.sources, options.kafka_config, stop, no_wait=options.no_wait)
        endless = [_endless(source) for source in options.sources]
        plan = plans.plan_of(_process_options(replace(options, sources=endless), found), stop)
        speed = _speed(options)
        store = ResultStore(
            plan.detector, run=options.run if found else "",
            history_s=seconds(options.history, "--history"),
        )  # fmt: skip
        live = Live(
            store, shown(" ".join(options.sources)), clock=time.time, version=__version__,
            window_s=plan.spec.window_s, speed=speed or 1.0,
            config=_shown(options, plan.kafka.settings.masked()),
            reference=_reference(options, plan.detector, stop),
        )  # fmt: skip
        feed = found.feed(speed) if found else WordFeed(plan, speed)
        set_pace()
        thread = threading.Thread(target=_fed, args=(feed, live, stop), daemon=True)
        server = _server(live, access, prefix)
        _announce(options, listening, prefix, greeting)
        if stop:  # before there was a server to hear it
            return 0
        thread.start()
        server.run(sockets=[listening])
        stop.signal = stop.signal or 1
        thread.join(_GRACE_S)
    return 0


def _fed(feed: Feed, live: Live, stop: Stop) -> None:
    """Run a feed to its end, whatever that is, and let the page say what it was."""
    try:
        reason = feed.run(live, stop)
    except MuonscopeError as exc:
        reason = str(exc)
    except Stopped:
        reason = ""
    except Exception as exc:  # the page must tell of whatever ends its feed
        logging.getLogger(__name__).exception("the feed of the dashboard failed")
        reason = f"internal error: {type(exc).__name__}: {exc}"
    if not stop:
        say(reason)
    live.stop(reason)


def _server(live: Live, access: Access, prefix: str) -> uvicorn.Server:
    _let_files_open()
    app = make_app(live, access, prefix=prefix, most_viewers=_MOST_VIEWERS)
    config = uvicorn.Config(
        app, http=PatientProtocol, ws="none", lifespan="on", log_level="error",
        access_log=False, server_header=False, timeout_graceful_shutdown=_GRACE_S,
    )  # fmt: skip
    return DashboardServer(config, app)


def _let_files_open() -> None:
    """Raise the number of connections that may be open, as far as is allowed."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _listening(options: Options) -> socket.socket:
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


def _announce(options: Options, listening: socket.socket, prefix: str, greeting: str) -> None:
    name = options.host if options.host not in {"0.0.0.0", "::"} else socket.gethostname()  # noqa: S104
    name = f"[{name}]" if ":" in name else name
    url = f"http://{name}:{listening.getsockname()[1]}{prefix}/"
    if greeting:
        print(greeting.strip(), file=sys.stderr)  # noqa: T201
    say(f"dashboard of {shown(' '.join(options.sources))} on {url}")
    if options.open and _has_display():
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _has_display() -> bool:
    """Tell whether a browser can open a window; one in the terminal is not wanted."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _access(options: Options) -> Access:
    """Return who may look; listening to others needs a token or the explicit word."""
    if options.token_file and options.insecure_open:
        raise OptionError("--token-file and --insecure-open: found both, expected one")
    if options.allow_host and (options.token_file or options.insecure_open):
        raise OptionError("--allow-host: any name is answered to anyway; leave it out")
    if options.token_file:
        return Access(token=_token(options.token_file), hosts=None)
    if options.insecure_open:
        return Access(hosts=None)
    if not is_loopback(options.host):
        raise OptionError(
            f"--host {options.host}: others can reach it; expected --token-file FILE, or"
            " --insecure-open to let everybody look"
        )
    return Access(hosts=(*LOOPBACK, *map(str.lower, (options.host, *options.allow_host))))


def _token(name: str) -> str:
    try:
        with Path(name).open(encoding="utf-8") as file:
            token = file.read(_LONGEST_TOKEN + 1).strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise OptionError(f"--token-file {name}: cannot be read: {exc}") from exc
    if len(token) > _LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
        raise OptionError(
            f"--token-file {name}: expected at most {_LONGEST_TOKEN:,} letters, all of them ASCII,"
            " for a header has to carry them"
        )
    if len(token) < 16:
        raise OptionError(f"--token-file {name}: found {len(token)} letters, expected 16 or more")
    return token


def _prefix(text: str) -> str:
    prefix = "/" + text.strip("/") if text.strip("/") else ""
    plain = prefix.isascii() and all(c.isalnum() or c in "/-_.~" for c in prefix)
    if not plain or not {"", ".", ".."}.isdisjoint(prefix.split("/")[1:]):
        raise OptionError(f"--prefix: found {text!r}, expected a path such as /muonscope")
    return prefix


def _process_options(options: Options, found: Found | None) -> plans.Options:
    """Return how the words are to be processed."""
    detector = options.detector or (found.detector if found else "")
    return plans.Options(
        sources=options.sources, detector=detector, run=options.run, window=options.window,
        follow=options.follow, kafka_config=options.kafka_config, no_wait=options.no_wait,
        group=GROUP,
    )  # fmt: skip


def _endless(source: str) -> str:
    """Return a simulation that does not end, unless it says where."""
    if not source.startswith(SCHEME):
        return source
    _, given = split_url(source)
    if "seconds" in given or "words" in given:
        return source
    return f"{source}{'&' if '?' in source else '?'}seconds=inf"


def _speed(options: Options) -> float | None:
    """Return the pace: a simulation is a detector, which takes its time."""
    if options.speed is None and options.sources[0].startswith(SCHEME):
        return 1.0
    return options.speed


def _reference(options: Options, detector: Detector, stop: Stop) -> View | None:
    """Return the whole of the run to compare with."""
    if not options.reference:
        return None
    store = ResultStore(detector)
    live = Live(store, options.reference, clock=time.time)
    found = find_results([options.reference], options.kafka_config, stop, no_wait=True)
    if found:
        for data, published_s in found.messages():
            if stop:
                break
            live.take(data, published_s)
    else:
        asked = replace(options, sources=[options.reference], follow=False, run="")
        plan = plans.plan_of(_process_options(asked, None), stop)
        WordFeed(replace(plan, detector=detector), None).run(live, stop)
    view = store.view("run")
    if view is None and not stop:
        examples = live.status(0)["examples"]
        raise OptionError(
            f"--reference {options.reference}: no window of {detector.name} is in it"
            + (f"; first: {examples[0]}" if examples else "")
        )
    return view


def _plain(value: Any) -> Any:
    """Return the value of an option with its texts such that they can be written anywhere."""
    if isinstance(value, str):
        return shown(value)
    return [shown(text) for text in value] if isinstance(value, (list, tuple)) else value


def _shown(options: Options, kafka: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration to show, secrets masked."""
    names = (
        "sources", "detector", "run", "window", "speed", "follow", "history", "reference",
        "host", "port", "insecure_open", "allow_host", "prefix", "kafka_config",
    )  # fmt: skip
    config = {name.replace("_", "-"): _plain(getattr(options, name)) for name in names}
    config["token"] = "***" if options.token_file else "none"
    return config | {f"kafka {name}": value for name, value in kafka.items()}
