"""The dashboard in the launcher of Jupyter, by way of jupyter-server-proxy.

The entry point ``jupyter_serverproxy_servers`` in pyproject.toml names :func:`server`. Jupyter
picks the port, starts the command when somebody asks for the page, and admits its own users
alone. It takes its path off the addresses that it passes on, so no prefix is needed.
"""

import os
import shlex
import sys
from typing import Any

__all__ = ["VARIABLE", "server"]

VARIABLE = "MUONSCOPE_JUPYTER"
"""Sources and options of ``muonscope dashboard``, as in a shell; unset, a simulated telescope."""

_START_S = 120
"""The first start compiles kernels."""


def server() -> dict[str, Any]:
    """Return what jupyter-server-proxy needs to know; it replaces ``{port}``."""
    shown = [
        word.replace("{", "{{").replace("}", "}}")
        for word in shlex.split(os.environ.get(VARIABLE, "sim:legnaro"))
    ]
    return {
        "command": [sys.executable, "-m", "muonscope", "dashboard", *shown, "--port", "{port}"],
        "timeout": _START_S,
        "new_browser_tab": True,
        "launcher_entry": {"title": "muonscope"},
        # The browser's name for the hub, which Jupyter has checked, is none that we answer to.
        "request_headers_override": {"Host": "127.0.0.1:{port}"},
    }
