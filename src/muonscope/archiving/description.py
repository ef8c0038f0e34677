"""What an archived run is: in lines for people, and as plain fields for programs."""

from typing import Any

from msgspec import to_builtins

from muonscope.archiving.archived_run import ArchivedRun

__all__ = ["run_fields", "run_lines"]


def run_lines(run: ArchivedRun) -> list[str]:
    """Return what a run is, in lines for people."""
    about, total, states = run.about, run.total(), run.states
    end = "ended" if about.ended_at is not None else "not ended"
    shares = ", ".join(f"{state.label} {n:,}" for state, n in sorted(states.items()))
    lines = [
        f"run {run.name}, detector {about.detector} ({about.detector_hash}), {end}",
        f"  {run.windows:,} windows, {total.live_s:,.3f} s alive: {shares}",
        f"  {total.accounting.words_in:,} words, {total.total_hits:,} hits",
        f"  {len(run.parts)} hours sealed, {sum(map(len, run.open_windows)):,} windows open",
    ]
    if about.conditions:
        told = ", ".join(f"{name}={value}" for name, value in about.conditions.items())
        lines.append(f"  conditions: {told}")
    if about.reference:
        lines.append(f"  compared with: {about.reference}")
    if about.outside:
        told = ", ".join(f"{name} {n:,}" for name, n in about.outside.items())
        lines.append(f"  in no window: {told}")
    return lines


def run_fields(run: ArchivedRun) -> dict[str, Any]:
    """Return what a run is, as plain fields."""
    total = run.total()
    return {
        **to_builtins(run.about), "windows": run.windows, "live_s": total.live_s,
        "hits": total.total_hits, "accounting": total.accounting.as_dict(),
        "states": {state.label: n for state, n in run.states.items()},
        "changes": to_builtins(run.changes),
    }  # fmt: skip
