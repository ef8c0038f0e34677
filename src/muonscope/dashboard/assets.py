"""The files of the page, in memory: what is not listed here cannot be asked for."""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from bokeh.util.paths import bokehjs_path
from starlette.requests import Request
from starlette.responses import Response

from muonscope.dashboard.constants import constants_script

__all__ = ["Asset", "answer", "assets"]

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_BOKEH = ("bokeh.min.js",)
_SCRIPTS = {"theme.js", "login.js", "runs.js", "stream-worker.js"}
"""Which the page does not import."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file, plain and packed."""

    data: bytes
    packed: bytes
    """With gzip."""
    type: str
    etag: str

    @classmethod
    def of(cls, name: str, data: bytes) -> "Asset":
        """Return the asset that a file is."""
        squeeze = zlib.compressobj(9, wbits=31)
        packed = squeeze.compress(data) + squeeze.flush()
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        return cls(data, packed, _TYPES[Path(name).suffix], etag)


@cache
def assets() -> dict[str, Asset]:
    """Return the files by the path under which they are asked for."""
    files = {
        entry.name: entry.read_bytes()
        for entry in resources.files("muonscope.dashboard").joinpath("static").iterdir()
        if Path(entry.name).suffix in _TYPES
    }
    folder = Path(bokehjs_path()) / "js"
    files |= {f"bokeh/{name}": (folder / name).read_bytes() for name in _BOKEH}
    files["constants.js"] = constants_script()
    files["index.html"] = files["index.html"].replace(b"{{modules}}", _preloads(files))
    return {name: Asset.of(name, data) for name, data in files.items()}


def _preloads(files: Iterable[str]) -> bytes:
    """Return links to the modules of the page: found one by one, each would cost a round trip."""
    modules = sorted(n for n in files if n.endswith(".js") and "/" not in n and n not in _SCRIPTS)
    link = '<link rel="modulepreload" href="static/{}">'
    return "\n  ".join(link.format(name) for name in modules).encode()


def answer(request: Request, asset: Asset) -> Response:
    """Return an asset, or only that it has not changed."""
    headers = {"etag": asset.etag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    data = asset.data
    if "gzip" in request.headers.get("accept-encoding", ""):
        data, headers["content-encoding"] = asset.packed, "gzip"
    return Response(data, headers=headers, media_type=asset.type)
