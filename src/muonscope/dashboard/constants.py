"""Constants that the scripts of the page share with the server, as a script of its own.

``static/constants.js`` is no file: it is made here of the server's own values, so that no
number or name of the two can differ. It is served like the files beside it.
"""

from typing import Any

import orjson

from muonscope.dashboard.contract import CHAMBER_COLUMNS, DROPPED, VIEWS
from muonscope.dashboard.figures import PAGES
from muonscope.dashboard.journal import HOLE_S
from muonscope.dashboard.limits import (
    DEFAULT_LAST_S,
    LONGEST_LAST_S,
    MOST_DIGITS,
    MOST_REFERENCE_BYTES,
    OWN_HEADER,
    RATE_S,
    RESULTS_TYPE,
    STATUS_S,
    VIEW_TYPE,
)
from muonscope.dashboard.plots.cells import MAP_TOP
from muonscope.dashboard.plots.ratio import RATIO_TOP
from muonscope.dashboard.style import CLOCKS, SCALES, THEMES, UNITS
from muonscope.results.history import MOST_SHOWN
from muonscope.results.store import RECENT_S

__all__ = ["constants", "constants_script"]


def constants() -> dict[str, Any]:
    """Return the constants by the names that scripts import; times in s."""
    return {
        "VIEWS": VIEWS,
        "DRAWN_PAGES": PAGES,
        "UNITS": UNITS,
        "THEMES": THEMES,
        "CLOCKS": CLOCKS,
        "SCALES": [float(scale) for scale in SCALES],
        "CHAMBER_COLUMNS": CHAMBER_COLUMNS,
        "DROPPED": DROPPED,
        "DEFAULT_LAST_S": DEFAULT_LAST_S,
        "LONGEST_LAST_S": LONGEST_LAST_S,
        "RECENT_S": RECENT_S,
        "RATE_S": RATE_S,
        "HOLE_S": HOLE_S,
        "STATUS_S": STATUS_S,
        "MOST_ROWS": MOST_SHOWN,
        "MOST_DIGITS": MOST_DIGITS,
        "MOST_REFERENCE_BYTES": MOST_REFERENCE_BYTES,
        "RATIO_TOP": RATIO_TOP,
        "MAP_TOP": MAP_TOP,
        "OWN_HEADER": {OWN_HEADER: "1"},
        "RESULTS_TYPE": RESULTS_TYPE,
        "VIEW_TYPE": VIEW_TYPE,
    }


def constants_script() -> bytes:
    """Return the module that the scripts import."""
    lines = [
        b"export const %s = %s;\n" % (name.encode(), orjson.dumps(value))
        for name, value in constants().items()
    ]
    return b"/* Made by dashboard/constants.py of the server's own values. */\n" + b"".join(lines)
