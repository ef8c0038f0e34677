"""The ``export`` command."""

import sys

from muonscope.cli.say import tell
from muonscope.processing.export import export_with
from muonscope.processing.export_options import ExportOptions
from muonscope.stopping import Stop

__all__ = ["export_command"]


def export_command(options: ExportOptions) -> int:
    """Write a run to a file; return the exit code."""
    found = export_with(options, tell, Stop())
    outside = f"; {found.outside:,} words belong to no window" if found.outside else ""
    print(  # noqa: T201
        f"run {found.run}: {found.windows:,} windows, {found.total.live_s:,.3f} s alive,"
        f" {found.total.total_hits:,} hits written to {options.to}{outside}",
        file=sys.stderr,
    )
    return 0
