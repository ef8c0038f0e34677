"""Objects of S3 and other stores that fsspec knows, as sources.

Credentials and endpoints come from the usual places of the store's own client (for S3:
environment, ``~/.aws``, ``AWS_ENDPOINT_URL``); none is taken from the URL.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from muonscope.errors import OptionError, SourceDeniedError, SourceError, SourceNotFoundError
from muonscope.simulation.options import SCHEME
from muonscope.transports.base import FilePosition, Piece
from muonscope.transports.files import CHUNK_BYTES, MARK_BYTES, natural_key
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.patterns import is_pattern, pattern_of

__all__ = ["ObjectSource", "is_object_url", "list_objects"]


def is_object_url(source: str) -> bool:
    """Tell whether ``source`` is a URL such as ``s3://bucket/prefix``."""
    return "://" in source and not source.startswith(SCHEME) and not is_kafka_url(source)


class ObjectSource:
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
        self._objects: list[tuple[Any, str, int, str]] = []
        for url in urls:
            self._objects += _objects_of(url)

    def size(self) -> int:
        """Return the bytes of all objects."""
        return sum(size for _, _, size, _ in self._objects)

    def pieces(self) -> Iterator[Piece]:
        """Yield each object to its end."""
        for system, name, size, tag in self._objects:
            key = f"{name}:{tag}"
            place = self._known.get(key, FilePosition(restart=0, read=0, mark=0, ended=False))
            if place.ended and place.read == size:
                continue
            read, first = place.restart, b""
            try:
                with system.open(name, "rb") as file:
                    first = file.read(MARK_BYTES)
                    file.seek(read)
                    while data := file.read(CHUNK_BYTES):
                        read += len(data)
                        mark = zlib.crc32(first[: min(MARK_BYTES, read)])
                        yield Piece(key=key, name=name, data=data, read=read, mark=mark)
            except Exception as exc:
                yield Piece(key=key, name=name, error=_error(name, exc))
            mark = zlib.crc32(first[: min(MARK_BYTES, read)])
            yield Piece(key=key, name=name, read=read, mark=mark, ended=True)


def list_objects(url: str) -> list[tuple[str, int]]:
    """Return (URL, bytes) of the objects that ``url`` names, in natural order.

    Raises
    ------
    OptionError, SourceError
        As :class:`ObjectSource`.
    """
    return [(system.unstrip_protocol(name), size) for system, name, size, _ in _objects_of(url)]


def _masked(url: str) -> str:
    """Return ``url`` without a user name and password, for people to read."""
    return re.sub(r"//[^/@]*@", "//***@", url)


def _objects_of(url: str) -> list[tuple[Any, str, int, str]]:
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
        (
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
