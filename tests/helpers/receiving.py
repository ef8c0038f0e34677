"""Servers that receive alarms: one for HTTP that can misbehave, and one for mail."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

__all__ = [
    "HttpReceiver", "MailReceiver", "answering", "endless", "free_port", "hanging", "http_receiver",
    "mail_receiver",
]  # fmt: skip


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class HttpReceiver:
    """What a server has got, and how it answers."""

    def __init__(self) -> None:
        """Answer that all is well."""
        self.got: list[tuple[str, str, Any]] = []
        """Path, user and password as they were sent, and the body."""
        self.answer: Callable[[BaseHTTPRequestHandler], None] = answering(200)
        self.url = ""


def answering(code: int, body: bytes = b"") -> Callable[[BaseHTTPRequestHandler], None]:
    """Return what gives an answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hanging(handler: BaseHTTPRequestHandler) -> None:
    """Never answer."""
    handler.connection.settimeout(60.0)
    with suppress(OSError):
        handler.connection.recv(1)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """Answer without an end."""
    handler.send_response(200)
    handler.end_headers()
    with suppress(OSError):
        while True:
            handler.wfile.write(b"x" * 65_536)
            time.sleep(0.001)


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Serve HTTP on a free port while the block lasts."""
    receiver = HttpReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            login = self.headers.get("Authorization", "")
            receiver.got.append((self.path, login, orjson.loads(body) if body else None))
            receiver.answer(self)

        do_GET = do_POST  # noqa: N815 as the standard library calls it

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class MailReceiver:
    """Mails that came, and how the server answers."""

    def __init__(self) -> None:
        """Take every mail."""
        self.mails: list[str] = []
        self.refuses = False
        self.port = 0


@contextmanager
def mail_receiver() -> Iterator[MailReceiver]:
    """Serve SMTP on a free port while the block lasts."""
    receiver, listening = MailReceiver(), socket.create_server(("127.0.0.1", 0))
    receiver.port = listening.getsockname()[1]

    def talk(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 test\r\n")
            for line in lines:
                verb, answer = line[:4].upper().strip(), b"250 ok\r\n"
                if verb == b"RCPT" and receiver.refuses:
                    answer = b"550 nobody here\r\n"
                elif verb == b"DATA":
                    connection.sendall(b"354 go on\r\n")
                    body = list(iter(lines.readline, b".\r\n"))
                    receiver.mails.append(b"".join(body).decode())
                elif verb == b"QUIT":
                    connection.sendall(b"221 bye\r\n")
                    return
                connection.sendall(answer)

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # it was closed
                return
            connection.settimeout(10.0)
            with suppress(OSError):
                talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield receiver
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
