"""Numbers and names on which the server, its description and the pages agree.

The pages get them as ``static/constants.js``, see :mod:`muonscope.dashboard.constants`.
"""

__all__ = [
    "CHANNEL_LAST_S", "CHANNEL_MOST_S", "DEFAULT_LAST_S", "LONGEST_LAST_S", "MOST_DIGITS",
    "MOST_REFERENCE_BYTES", "OWN_HEADER", "RATE_S", "RESULTS_TYPE", "STATUS_S", "VIEW_TYPE",
]  # fmt: skip

DEFAULT_LAST_S = 1800
"""How far back the history is asked for without a number, and shown on the overview, s."""

LONGEST_LAST_S = 62 * 86_400
"""How far back it can be asked for, s."""

CHANNEL_LAST_S, CHANNEL_MOST_S = 600, 7200
"""How far back the history of a channel is asked for without a number, and at most, s: each window
is read again, which takes a millisecond."""

RATE_S = 10.0
"""Time over which the rates of the status are averaged, s."""

STATUS_S = 1.0
"""Time between two events with the status, s."""

OWN_HEADER = "X-Muonscope"
"""Header that no other site can have a browser send; its value is 1."""

RESULTS_TYPE = "application/x-ndjson"
"""Content type of results, one in a line."""

VIEW_TYPE = "application/json"
"""Content type of a view document."""

MOST_REFERENCE_BYTES = 512 << 20
"""The longest file of results that is added up as a reference."""

MOST_DIGITS = 15
"""Of an epoch or window in a question: such numbers are exact in JavaScript."""
