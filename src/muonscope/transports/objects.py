"""Objects of S3 and other stores that fsspec knows, as sources.

Credentials and endpoints come from the usual places of the store's own client (for S3:
environment, ``~/.aws``, ``AWS_ENDPOINT_URL``); none is taken from the URL.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from muonscope.errors import OptionError, SourceDeniedError, SourceError, SourceNotFoundError
from muonscope.simulation.options import SCHEME
from muonscope.transports.base import Ends, FilePosition, InTurns, Piece, Turn
from muonscope.transports.files import CHUNK_BYTES, MARK_BYTES, natural_key
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.patterns import is_pattern, pattern_of

__all__ = ["ObjectSource", "is_object_url"]


def is_object_url(source: str) -> bool:
    """Tell whether ``source`` is a URL such as ``s3://bucket/prefix``."""
    return "://" in source and not source.startswith(SCHEME) and not is_kafka_url(source)


class ObjectSource(InTurns):
    """Reads all objects under some URLs, in natural order of their names."""

    def __init__(
        self, urls: Sequence[str], *, known: Mapping[str, FilePosition] | None = None
    ) -> None:
        """Find the objects.

        Raises
        ------
        OptionError
            If the store's client is not installed or the URL has no known scheme.
        SourceNotFoundError, SourceDeniedError, SourceError
            If the bucket or prefix is missing, refused, or cannot be reached.
        """
        self._known = known or {}
        found = [item for url in urls for item in _objects_of(url)]
        self._objects = {item.name: item for item in found}
        super().__init__([Turn(name=item.name) for item in found])

    def size(self) -> int:
        """Return the bytes of all objects."""
        return sum(self._objects[turn.name].size for turn in self._turns)

    def ends(self, n: int) -> list[Ends]:
        """Return the first and last ``n`` bytes of each object; requests run concurrently."""
        items = [self._objects[turn.name] for turn in self._turns]
        firsts = _ranges([(item, 0, min(n, item.size)) for item in items])
        lasts = _ranges([(item, max(n, item.size - n), item.size) for item in items])
        return [
            Ends(
                name=item.name,
                size=item.size,
                first=first,
                last=last,
                stream=self._known[item.key].stream if item.key in self._known else None,
            )
            for item, first, last in zip(items, firsts, lasts, strict=True)
        ]

    def open(self, name: str) -> BinaryIO:
        """Open an object.

        Raises
        ------
        SourceError
            If it cannot be read.
        """
        try:
            opened: BinaryIO = self._objects[name].system.open(name, "rb")
        except Exception as exc:
            raise _error(name, exc) from exc
        return opened

    def url(self, name: str) -> str:
        """Return the URL of an object, by which another process can open it."""
        url: str = self._objects[name].system.unstrip_protocol(name)
        return url

    def _read(self, turn: Turn) -> Iterator[Piece]:
        item = self._objects[turn.name]
        key, name = item.key, item.name
        fresh = FilePosition(restart=turn.restart, read=0, mark=0, ended=False)
        place = self._known.get(key, fresh)
        if place.ended and place.read == item.size:
            return
        read, first = place.restart, b""
        resume = {} if key in self._known else turn.resume
        try:
            with item.system.open(name, "rb") as file:
                first = file.read(MARK_BYTES)
                file.seek(read)
                while data := file.read(CHUNK_BYTES):
                    read += len(data)
                    mark = zlib.crc32(first[: min(MARK_BYTES, read)])
                    yield Piece(key=key, name=name, data=data, read=read, mark=mark, resume=resume)
        except Exception as exc:
            yield Piece(key=key, name=name, error=_error(name, exc))
        mark = zlib.crc32(first[: min(MARK_BYTES, read)])
        yield Piece(key=key, name=name, read=read, mark=mark, resume=resume, ended=True)


@dataclass(frozen=True, slots=True)
class _Object:
    system: Any
    name: str
    size: int
    tag: str

    @property
    def key(self) -> str:
        """Identity: another object under the same name is another one."""
        return f"{self.name}:{self.tag}"


def _ranges(wanted: Sequence[tuple[_Object, int, int]]) -> list[bytes]:
    """Return ranges of bytes; nothing of an object that cannot be read: who reads it finds out."""
    got = [b""] * len(wanted)
    systems: dict[int, list[int]] = {}
    for i, (item, begin, end) in enumerate(wanted):
        if begin < end:
            systems.setdefault(id(item.system), []).append(i)
    for rows in systems.values():
        system = wanted[rows[0]][0].system
        names, begins, ends = zip(*((wanted[i][0].name, *wanted[i][1:]) for i in rows), strict=True)
        with suppress(Exception):
            found = system.cat_ranges(list(names), list(begins), list(ends), on_error="return")
            for i, data in zip(rows, found, strict=True):
                got[i] = data if isinstance(data, bytes) else b""
    return got


def _masked(url: str) -> str:
    """Return ``url`` without a user name and password, for people to read."""
    return re.sub(r"//[^/@]*@", "//***@", url)


def _objects_of(url: str) -> list[_Object]:
    from fsspec.core import url_to_fs

    try:
        system, path = url_to_fs(url)
    except ImportError as exc:
        raise OptionError(
            f"{_masked(url)}: needs the store's client, for s3:// pip install 'muonscope[s3]':"
            f" {exc}"
        ) from exc
    except ValueError as exc:
        raise OptionError(f"{_masked(url)}: {_masked(str(exc))}") from exc
    except Exception as exc:
        raise _error(_masked(url), exc) from exc
    try:
        if is_pattern(path) and not system.exists(path):
            found = system.glob(pattern_of(path, system.exists), detail=True)
        else:
            found = system.find(path, detail=True)
    except Exception as exc:
        raise _error(_masked(url), exc) from exc
    files = {n: info for n, info in found.items() if info.get("type") == "file"}
    if not files:
        raise SourceNotFoundError(f"{_masked(url)}: no object is there")
    return [
        _Object(
            system,
            name,
            int(files[name].get("size") or 0),
            str(files[name].get("ETag", "")).strip('"'),
        )
        for name in sorted(files, key=natural_key)
    ]


def _error(name: str, exc: Exception) -> SourceError:
    if isinstance(exc, PermissionError):
        return SourceDeniedError(f"{name}: the store refuses access: {exc}")
    if isinstance(exc, FileNotFoundError):
        return SourceNotFoundError(f"{name}: no such bucket or object")
    hint = (
        "; AWS_CA_BUNDLE names the file with the certificates of a private store"
        if "CERTIFICATE_VERIFY_FAILED" in str(exc)
        else ""
    )
    return SourceError(f"{name}: the store cannot be read: {type(exc).__name__}: {exc}{hint}")
