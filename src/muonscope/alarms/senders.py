"""Sending a message to one receiver: by HTTP, to a program, or with apprise.

Each sender has one verb, takes a bounded time, and says in words why it could not.
"""

import base64
import contextlib
import http.client
import json
import logging
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit, urlunsplit

from muonscope._version import __version__
from muonscope.alarms.planning import Message
from muonscope.alarms.receivers import Kind, Receiver
from muonscope.alarms.texts import alertmanager_alerts, body_of, document_of, title_of
from muonscope.errors import OptionError, SinkError

__all__ = ["EXEC_S", "Sender", "sender_of"]

HTTP_S = 10.0
"""A server that does not answer for so long is given up, s."""
EXEC_S = 30.0
"""A program that runs for longer is killed, s."""
_MOST_REASON = 300


class Sender(Protocol):
    """Something that sends messages to one receiver."""

    def send(self, message: Message) -> None:
        """Send a message.

        Raises
        ------
        SinkError
            If it could not be sent; the text is the reason, without secrets.
        """

    def close(self) -> None:
        """Give up what is under way."""


def sender_of(receiver: Receiver, *, link: str = "", runbook: str = "") -> Sender:
    """Return what sends to a receiver; ``link`` and ``runbook`` are for people to go on from.

    Raises
    ------
    OptionError
        If it cannot be used at all: a program that is not there, or apprise is not installed.
    """
    match receiver.kind:
        case Kind.ALERTMANAGER:
            return _Alertmanager(receiver, link, runbook)
        case Kind.PING:
            return _Ping(receiver)
        case Kind.EXEC:
            return _Exec(receiver, link)
        case Kind.APPRISE:
            return _Apprise(receiver, link)


class _Alertmanager:
    """Posts to Alertmanager's API v2."""

    def __init__(self, receiver: Receiver, link: str, runbook: str) -> None:
        self._receiver, self._link, self._runbook = receiver, link, runbook
        parts = urlsplit(receiver.address)
        path = parts.path.rstrip("/") + "/api/v2/alerts"
        self._url = urlunsplit(parts._replace(path=path, fragment=""))

    def send(self, message: Message) -> None:
        """Post all alarms of a message in one request."""
        alerts = alertmanager_alerts(message, self._link, self._runbook)
        _ask(self._receiver, self._url, json.dumps(alerts).encode())

    def close(self) -> None:
        """Do nothing: a request is given up by itself."""


class _Ping:
    """Asks for a URL, to say that all is alive."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def send(self, message: Message) -> None:  # noqa: ARG002 that it comes says all
        """Ask for the URL."""
        _ask(self._receiver, self._receiver.address, None)

    def close(self) -> None:
        """Do nothing: a request is given up by itself."""


def _ask(receiver: Receiver, url: str, data: bytes | None) -> None:
    """Ask a server; its answer is not read, for it may be endless."""
    parts = urlsplit(url)
    headers = {"User-Agent": f"muonscope/{__version__}"}
    if data is not None:
        headers["Content-Type"] = "application/json"
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    request = urllib.request.Request(plain, data, headers)  # noqa: S310 http(s), as was checked
    try:
        with urllib.request.urlopen(request, timeout=HTTP_S):  # noqa: S310
            pass
    except urllib.error.HTTPError as exc:
        with exc:
            reason = f"answers {exc.code} {exc.reason}"
        raise SinkError(receiver.scrubbed(reason)[:_MOST_REASON]) from None
    except TimeoutError:
        raise SinkError(f"does not answer within {HTTP_S:g} s") from None
    except (OSError, http.client.HTTPException, ValueError) as exc:
        cause = exc.reason if isinstance(exc, urllib.error.URLError) else exc
        if isinstance(cause, TimeoutError):
            raise SinkError(f"does not answer within {HTTP_S:g} s") from None
        reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
        raise SinkError(f"cannot be reached: {receiver.scrubbed(reason)[:_MOST_REASON]}") from None


class _Exec:
    """Starts a program, which reads the message as JSON from its standard input."""

    def __init__(self, receiver: Receiver, link: str) -> None:
        path = Path(receiver.address)
        if not path.is_file():
            raise OptionError(f"{receiver.name}: no such program")
        if not os.access(path, os.X_OK):
            raise OptionError(f"{receiver.name}: is not executable: chmod +x {path}")
        self._path, self._link = receiver.address, link
        self._child: subprocess.Popen[bytes] | None = None
        self._lock, self._closed = threading.Lock(), False

    def send(self, message: Message) -> None:
        """Run the program to its end; what it prints is not read."""
        text = json.dumps(document_of(message, self._link)).encode()
        with self._lock:
            if self._closed:
                raise SinkError("was given up")
            self._child = child = self._started()
        try:
            child.communicate(text, timeout=EXEC_S)
        except subprocess.TimeoutExpired:
            _kill(child)
            child.wait()
            raise SinkError(f"did not end within {EXEC_S:g} s, and was killed") from None
        if child.returncode:
            how = f"exit code {child.returncode}"
            if child.returncode < 0:
                how = f"killed by signal {-child.returncode}"
            raise SinkError(f"ended with {how}" if child.returncode > 0 else how)

    def _started(self) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(  # noqa: S603 a path that people wrote, and no argument
                [self._path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        except OSError as exc:
            raise SinkError(f"cannot be started: {exc.strerror or exc}") from exc

    def close(self) -> None:
        """Kill the program if it runs, and start it no more."""
        with self._lock:
            self._closed = True
            if self._child and self._child.poll() is None:
                _kill(self._child)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    """Kill a program and all that it has started in its session."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


class _Apprise:
    """Sends with apprise: mail, Telegram, Slack and about a hundred more."""

    def __init__(self, receiver: Receiver, link: str) -> None:
        try:
            import apprise
        except ImportError as exc:
            raise OptionError(
                f"{receiver.name}: needs apprise: pip install 'muonscope[alarms]'"
            ) from exc
        self._apprise: Any = apprise
        self._receiver, self._link = receiver, link
        self._service = apprise.Apprise()
        with _listening() as said:
            try:
                known, reason = self._service.add(receiver.address), self._reason(said)
            except Exception as exc:  # whatever a plug-in of apprise does not catch
                known, reason = False, f": {receiver.scrubbed(repr(exc))[:_MOST_REASON]}"
        if not known:
            raise OptionError(f"{receiver.name}: apprise cannot use it{reason}")

    def send(self, message: Message) -> None:
        """Send as plain text."""
        apprise = self._apprise
        over = bool(message.items) and not any(item.alarm.active for item in message.items)
        kind = {"page": apprise.NotifyType.FAILURE}.get(
            message.severity, apprise.NotifyType.WARNING
        )
        try:
            with _listening() as said:
                done = self._service.notify(
                    title=title_of(message), body=body_of(message, self._link),
                    notify_type=apprise.NotifyType.SUCCESS if over else kind,
                    body_format=apprise.NotifyFormat.TEXT,
                )  # fmt: skip
        except Exception as exc:  # whatever a plug-in of apprise does not catch
            raise SinkError(f"fails: {self._receiver.scrubbed(repr(exc))[:_MOST_REASON]}") from None
        if not done:
            raise SinkError(f"was not sent{self._reason(said)}")

    def _reason(self, said: list[str]) -> str:
        """Return the last thing that apprise has said."""
        found = self._receiver.scrubbed(" ".join(said[-1].split())) if said else ""
        return f": {found[:_MOST_REASON]}" if found else ""

    def close(self) -> None:
        """Do nothing: apprise gives up by itself."""


@contextlib.contextmanager
def _listening() -> Iterator[list[str]]:
    """Give what apprise logs in this thread; others may send to other receivers meanwhile."""
    said: list[str] = []
    logger, handler = logging.getLogger("apprise"), _Heard(said)
    logger.addHandler(handler)
    try:
        yield said
    finally:
        logger.removeHandler(handler)


class _Heard(logging.Handler):
    """Keeps what one thread logs."""

    def __init__(self, said: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._said, self._thread = said, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        if record.thread == self._thread:
            self._said.append(record.getMessage())
