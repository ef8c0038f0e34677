"""The ``dashboard`` and ``demo`` commands."""

import sys
from contextlib import suppress

from muonscope.cli.say import tell
from muonscope.cli.settings import set_pace
from muonscope.dashboard.launch import Dashboard
from muonscope.dashboard.options import DashboardOptions, DemoOptions
from muonscope.stopping import Stop, Stopped

__all__ = ["DEMO_FAULT", "dashboard_command", "demo_command"]

_LOOK_AT = """
The dashboard shows a simulated telescope in real time.{fault} What to look at:
  Overview   is it well? the verdict, chambers at a glance, every dropped word by its reason
  Problems   what is wrong, since when, and what to do: at first two hot cells
  Chambers   two hot cells stand out in the maps (hover tells which); the drift-time boxes
             fill with each muon that the scintillator saw: watch the view "run"
  Muons      an event display, slopes, efficiencies: reconstructed without the scintillator
  Trends     any counter against time; System: latency, sources, configuration
Pause and go back, switch counts and Hz, log scale, dark and light; the address keeps it all.
Ctrl-C ends it."""

DEMO_FAULT = "hv-off:ch1@60s-180s"
_FAULT_TOLD = """ After a minute chamber 1 loses
its high voltage, for two minutes: see how it is told (--calm lets nothing go wrong)."""


def dashboard_command(options: DashboardOptions, greeting: str = "") -> int:
    """Serve a dashboard until it is told to stop; return the exit code."""
    set_pace()
    stop = Stop()
    with suppress(Stopped), stop.listening():
        dashboard = Dashboard(options, tell, stop)
        if greeting:
            print(greeting.strip(), file=sys.stderr)  # noqa: T201
        dashboard.run()
    return 0


def demo_command(options: DemoOptions) -> int:
    """Show a simulated telescope, and tell what to look at; return the exit code."""
    source = "sim:legnaro" if options.calm else f"sim:legnaro?fault={DEMO_FAULT}"
    shown = DashboardOptions(
        sources=(source,), host=options.host, port=options.port, open=options.open,
        token_file=options.token_file,
    )  # fmt: skip
    return dashboard_command(
        shown, greeting=_LOOK_AT.format(fault="" if options.calm else _FAULT_TOLD)
    )
