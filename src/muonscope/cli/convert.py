"""The ``convert`` command."""

import sys

from muonscope.cli.say import tell
from muonscope.replaying.convert import convert_words
from muonscope.replaying.options import ConvertOptions

__all__ = ["convert_command"]


def convert_command(options: ConvertOptions) -> int:
    """Convert words; return the exit code."""
    words, name = convert_words(options, tell)
    print(f"{words:,} words written to {options.dest} as {name}", file=sys.stderr)  # noqa: T201
    return 0
