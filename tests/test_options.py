"""Options that are written once: from Python by name, and from the command line by flag."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from muonscope.cli.flags import DescribedCommand, parameters_of
from muonscope.errors import OptionError
from muonscope.options import made, option, sources_of, sources_option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of each type."""

    sources: tuple[str, ...] = sources_option("Names.")
    length: str | float = option("1s", "--length", metavar="TIME", help="A time.")
    number: int | None = option(None, "--number", "-n", help="A number.", bounds=(1, 9))
    scale: float | None = option(None, "--scale", help="A factor.")
    names: tuple[str, ...] = option((), "--name", help="Repeatable.")
    flag: bool = option(False, "--flag", help="A choice.")


def parsed(*args: str) -> tuple[int, Options | None, str]:
    """Return exit code, options and output of a command line."""
    seen: list[Options] = []

    def call(**given: object) -> None:
        seen.append(Options(**given))  # type: ignore[arg-type]

    command = DescribedCommand("c", callback=call, params=parameters_of(Options))
    done = CliRunner().invoke(command, args)
    return done.exit_code, seen[0] if seen else None, done.output


def test_defaults_are_those_of_python() -> None:
    assert parsed("a")[1] == made(Options, {"sources": ("a",)}) == Options(sources=("a",))


def test_flags_fill_the_options_by_their_types() -> None:
    line = "a b --length 2s -n 3 --scale 1.5 --name x --name y --flag"
    assert parsed(*line.split())[1] == Options(
        sources=("a", "b"), length="2s", number=3, scale=1.5, names=("x", "y"), flag=True
    )


@pytest.mark.parametrize("line", ["", "a --number 10", "a --number x", "a --scale x", "a --other"])
def test_what_makes_no_sense_is_a_usage_error(line: str) -> None:
    code, options, text = parsed(*line.split())
    assert (code, options) == (2, None)
    assert "Error:" in text


def test_the_help_tells_of_arguments_and_of_defaults_that_say_something() -> None:
    text = parsed("--help")[2]
    assert "SOURCE...  Names.  [required]" in text
    assert "[default: 1s]" in text
    assert text.count("[default") == 1


def test_from_python_a_name_that_is_none_or_missing_is_told() -> None:
    with pytest.raises(OptionError, match="lenght: no such option; there are sources, length"):
        made(Options, {"sources": ("a",), "lenght": "1s"})
    with pytest.raises(OptionError, match="sources: is missing"):
        made(Options, {})


def test_one_source_or_several_are_texts() -> None:
    assert sources_of("a") == ("a",)
    assert sources_of(Path("b")) == ("b",)
    assert sources_of(["a", Path("b")]) == ("a", "b")
