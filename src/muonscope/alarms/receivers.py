"""Receivers of alarms: what ``to`` and ``ping`` name, and how it is shown without its secrets."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import unquote, urlsplit

from muonscope.errors import OptionError

__all__ = ["Kind", "Receiver", "receiver_of"]

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MOST_BYTES = 4_096
_SHORTEST_SECRET = 3
_EXPECTED = "expected alertmanager:http://HOST:PORT, exec:/PATH, apprise:URL or apprise-file:/PATH"


class Kind(StrEnum):
    """How a receiver is reached."""

    ALERTMANAGER = "alertmanager"
    EXEC = "exec"
    APPRISE = "apprise"
    PING = "ping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody who is told of alarms."""

    kind: Kind
    address: str = field(repr=False)
    """URL or path, with its secrets: never shown."""
    name: str
    """As it is shown: without user, password, query, and what else may be secret."""
    id: str
    """Stays the same while the text in the file does; tells nothing of its secrets."""

    def scrubbed(self, text: str) -> str:
        """Return the text of another program without the secrets of this receiver."""
        parts = urlsplit(self.address) if self.kind is not Kind.EXEC else None
        if parts is None:
            return text
        found = {self.address, parts.netloc, parts.username, parts.password, parts.query}
        found |= set(parts.path.split("/"))
        found |= {piece.partition("=")[2] for piece in parts.query.split("&")}
        if self.kind is Kind.APPRISE:
            found.add(parts.hostname)
        secrets = {s for one in found if one for s in (one, unquote(one))}
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = re.sub(re.escape(secret), "***", text, flags=re.IGNORECASE)
        return text


def receiver_of(
    text: str, where: str, *, folder: Path, environ: Mapping[str, str] = os.environ
) -> Receiver:
    """Return the receiver that ``text`` names; ``${NAME}`` is a variable of the environment.

    Raises
    ------
    OptionError
        If it names none; the message begins with ``where`` and shows nothing of an address.
    """
    kind, _, written = text.partition(":")
    if kind not in {"alertmanager", "exec", "apprise", "apprise-file", "ping"} or not written:
        raise OptionError(f"{where}: {_EXPECTED}")

    def value(match: re.Match[str]) -> str:
        if match[1] not in environ:
            raise OptionError(f"{where}: the environment has no variable {match[1]}")
        return environ[match[1]]

    address = _VARIABLE.sub(value, written)
    if kind == "apprise-file":
        address = _line_of(folder / address, where)
        kind = "apprise"
    name = _CHECKED[Kind(kind)](address, where)
    told = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
    return Receiver(kind=Kind(kind), address=address, name=f"{kind}:{name}", id=told)


def _line_of(path: Path, where: str) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            lines = file.read(_MOST_BYTES + 1).split("\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise OptionError(f"{where}: {path}: cannot be read: {exc}") from exc
    found = [line.strip() for line in lines if line.strip()]
    if len(found) != 1 or len(found[0]) > _MOST_BYTES:
        raise OptionError(
            f"{where}: {path}: found {len(found)} lines, expected one with the URL for apprise"
        )
    return found[0]


def _http(address: str, where: str) -> str:
    try:
        parts = urlsplit(address)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good or not address.isascii() or re.search(r"[\s\x00-\x20]", address):
        raise OptionError(f"{where}: expected a URL such as http://HOST:PORT")
    user = "***@" if "@" in parts.netloc else ""
    query = "?***" if parts.query else ""
    return f"{parts.scheme}://{user}{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def _ping(address: str, where: str) -> str:
    """Show no path: that of a dead man's switch is its key."""
    _http(address, where)
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/***"


def _exec(address: str, where: str) -> str:
    if not address.startswith("/") or "\0" in address:
        raise OptionError(f"{where}: found {address!r}, expected the absolute path of a program")
    return address


def _apprise(address: str, where: str) -> str:
    """Show the scheme alone: of many services the host is a key."""
    scheme, found, _ = address.partition("://")
    if not found or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", scheme):
        raise OptionError(f"{where}: expected a URL that apprise knows, such as mailto://...")
    return f"{scheme.lower()}://***"


_CHECKED = {Kind.ALERTMANAGER: _http, Kind.EXEC: _exec, Kind.APPRISE: _apprise, Kind.PING: _ping}
