"""The ``tracks`` command."""

import sys

from muonscope.cli.say import tell
from muonscope.replaying.options import TracksOptions
from muonscope.replaying.track_files import write_tracks
from muonscope.stopping import Stop

__all__ = ["tracks_command"]


def tracks_command(options: TracksOptions) -> int:
    """Write tracks; return the exit code."""
    stop = Stop()
    found = write_tracks(options, tell, stop)
    skipped = f"; {found.skipped:,} events have too many hits" if found.skipped else ""
    skipped += f"; {found.rejects:,} pieces could not be decoded" if found.rejects else ""
    print(  # noqa: T201
        f"{found.tracks:,} tracks and {found.segments:,} segments of single chambers in"
        f" {found.events:,} events, {found.words:,} words{skipped}",
        file=sys.stderr,
    )
    return stop.exit_code if stop else 0
