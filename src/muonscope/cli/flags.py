"""Flags of the command line, made from the fields of options that are written once."""

from dataclasses import MISSING, Field, fields
from typing import Any, get_args, get_type_hints

import click

from muonscope.options import Option, option_of

__all__ = ["DescribedArgument", "DescribedCommand", "parameters_of"]

_SILENT = (None, "", False, ())
"""Defaults that say nothing."""


class DescribedArgument(click.Argument):
    """An argument that has a line in the help."""

    def __init__(self, *args: Any, text: str = "", **more: Any) -> None:
        """Take what people read of it."""
        super().__init__(*args, **more)
        self.text = text


class DescribedCommand(click.Command):
    """A command whose help tells of arguments, too, and keeps its example in one line."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments, then the options."""
        rows = [
            (argument.make_metavar(ctx), argument.text + ("  [required]" * argument.required))
            for argument in self.get_params(ctx)
            if isinstance(argument, DescribedArgument) and argument.text
        ]
        if rows:
            with formatter.section("Arguments"):
                formatter.write_dl(rows)
        super().format_options(ctx, formatter)


def parameters_of(options: type) -> list[click.Parameter]:
    """Return the arguments and flags of a dataclass of options, in the order of its fields."""
    hints = get_type_hints(options)
    return [
        _parameter(item, told, hints[item.name])
        for item in fields(options)
        if (told := option_of(item))
    ]


def _parameter(item: "Field[Any]", told: Option, hint: Any) -> click.Parameter:
    several = hint == tuple[str, ...]
    if not told.flags:
        return DescribedArgument(
            [item.name], nargs=-1 if several else 1, required=True, metavar=told.metavar,
            text=told.help,
        )  # fmt: skip
    default = None if item.default is MISSING else item.default
    if hint is bool:
        return click.Option([*told.flags, item.name], is_flag=True, help=told.help)
    return click.Option(
        [*told.flags, item.name],
        type=_type_of(hint, told),
        default=default,
        multiple=several,
        metavar=told.metavar,
        help=told.help,
        show_default=told.shows_default and default not in _SILENT,
    )


def _type_of(hint: Any, told: Option) -> "click.ParamType[Any]":
    kinds = set(get_args(hint) or (hint,))
    if int in kinds:
        return click.IntRange(*told.bounds) if told.bounds else click.INT
    return click.FLOAT if float in kinds and str not in kinds else click.STRING
