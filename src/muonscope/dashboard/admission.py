"""Who may look at a dashboard, as its options say: tokens, host names, the path of a proxy."""

from pathlib import Path

from muonscope.dashboard.options import DashboardOptions
from muonscope.dashboard.security import LOOPBACK, Access, is_loopback
from muonscope.errors import OptionError

__all__ = ["access_of", "prefix_of"]

_LONGEST_TOKEN = 4_096
_SHORTEST_TOKEN = 16


def access_of(options: DashboardOptions) -> Access:
    """Return who may look; listening to others needs a token or the explicit word.

    Raises
    ------
    OptionError
        If options contradict one another, or the token is none.
    """
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
    if len(token) < _SHORTEST_TOKEN:
        raise OptionError(f"--token-file {name}: found {len(token)} letters, expected 16 or more")
    return token


def prefix_of(text: str) -> str:
    """Return the path of a proxy as it stands before all others: empty, or with a slash.

    Raises
    ------
    OptionError
        If it is no path.
    """
    prefix = "/" + text.strip("/") if text.strip("/") else ""
    plain = prefix.isascii() and all(c.isalnum() or c in "/-_.~" for c in prefix)
    if not plain or not {"", ".", ".."}.isdisjoint(prefix.split("/")[1:]):
        raise OptionError(f"--prefix: found {text!r}, expected a path such as /muonscope")
    return prefix
