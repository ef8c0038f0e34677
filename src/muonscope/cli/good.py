"""The ``good`` commands: which windows of archived runs are good."""

import time
from datetime import UTC, datetime

import click
import orjson
from msgspec import to_builtins

from muonscope.archiving.archive import Archive
from muonscope.archiving.good_windows import Signature, proposal, sign, signatures
from muonscope.archiving.options import ProposeOptions, ShowGoodOptions, SignOptions
from muonscope.errors import SourceNotFoundError
from muonscope.transports.new_file import writing

__all__ = ["propose_command", "show_command", "sign_command"]


def propose_command(options: ProposeOptions) -> None:
    """Print what the verdicts of a run propose."""
    with Archive(options.archive) as archive:
        found = proposal(archive[options.run])
    if options.json:
        click.echo(orjson.dumps(to_builtins(found)).decode())
    else:
        _print(found)


def sign_command(options: SignOptions) -> None:
    """Sign what is proposed, with changes."""
    with Archive(options.archive) as archive:
        signed = sign(
            archive[options.run], options.who, round(time.time(), 3), note=options.note,
            also=options.also, but=options.but,
        )  # fmt: skip
    _print(signed)


def show_command(options: ShowGoodOptions) -> None:
    """Print what was signed last of each run; write the lists that were asked for."""
    with Archive(options.archive) as archive:
        names = [options.run] if options.run else list(archive)
        found = {name: some[-1] for name in names if (some := signatures(archive[name]))}
    if not found:
        raise SourceNotFoundError(f"{options.archive}: nothing is signed; muonscope good sign does")
    good = {key: some for one in found.values() for key, some in one.good_list.as_json().items()}
    for path, told in ((options.to, good), (options.quality, to_builtins(found))):
        if path:
            with writing(path, force=options.force) as file:
                file.write(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    if "-" not in {options.to, options.quality}:
        for one in found.values():
            _print(one)


def _print(found: Signature) -> None:
    """Print good windows, and what was wrong in others."""
    signed = "proposed"
    if found.at is not None:
        when = datetime.fromtimestamp(found.at, UTC).strftime("%Y-%m-%d %H:%M")
        signed = f"signed by {found.who}, {when} UTC"
    known = sum(last - first + 1 for some in found.known.values() for first, last in some)
    click.echo(
        f"run {found.run}, {signed}: {found.good_windows:,} windows good, of {known:,} judged,"
        f" {found.window_s:.4g} s each"
    )
    for key, ranges in found.good.items():
        told = ", ".join(f"{a}-{b}" if a < b else f"{a}" for a, b in ranges) or "none"
        click.echo(f"  {key}: {told}")
    for bad in found.bad:
        known_as = f" [known: {bad.known}]" if bad.known else ""
        click.echo(
            f"  {bad.state} {bad.epoch}/{bad.first}-{bad.last} {bad.check} {bad.target}:"
            f" {bad.reason}{known_as}"
        )
    if found.note:
        click.echo(f"  note: {found.note}")
