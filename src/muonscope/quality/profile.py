"""Profiles: the thresholds of the checks for some conditions, and problems that are known."""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from muonscope.errors import OptionError
from muonscope.quality.sequential import Rule
from muonscope.quality.verdict import State, Verdict

__all__ = ["CheckSettings", "Known", "Profile", "default_profile", "parse_profiles", "profile_for"]


class _Rule(Struct, frozen=True, forbid_unknown_fields=True):
    ratio: Annotated[float, Meta(gt=0)]
    state: str


class _Check(Struct, frozen=True, forbid_unknown_fields=True):
    rules: list[_Rule] | None = None
    alone: list[_Rule] | None = None
    budget: Annotated[float, Meta(gt=0, le=100)] | None = None
    enabled: bool | None = None
    part: Annotated[float, Meta(gt=0, le=1)] | None = None
    seconds: Annotated[float, Meta(gt=0)] | None = None
    few: Annotated[float, Meta(ge=1)] | None = None
    least_hz: Annotated[float, Meta(gt=0)] | None = None
    warn_ns: Annotated[float, Meta(gt=0, le=200)] | None = None
    bad_ns: Annotated[float, Meta(gt=0, le=200)] | None = None
    warn_stretch: Annotated[float, Meta(gt=0, le=0.5)] | None = None
    bad_stretch: Annotated[float, Meta(gt=0, le=0.5)] | None = None
    warn_part: Annotated[float, Meta(gt=0, le=0.5)] | None = None
    bad_part: Annotated[float, Meta(gt=0, le=0.5)] | None = None
    warn_mm: Annotated[float, Meta(gt=0, le=20)] | None = None
    bad_mm: Annotated[float, Meta(gt=0, le=20)] | None = None
    warn_mean_mm: Annotated[float, Meta(gt=0, le=20)] | None = None
    bad_mean_mm: Annotated[float, Meta(gt=0, le=20)] | None = None
    least_missed: Annotated[float, Meta(gt=0, le=1)] | None = None
    dead: Annotated[float, Meta(gt=0, le=1)] | None = None
    neighbours: Annotated[float, Meta(ge=1)] | None = None


class Known(Struct, frozen=True, forbid_unknown_fields=True):
    """A problem that is known: it is shown, and does not count, until it expires."""

    target: str
    until: date
    why: str
    who: str = ""
    check: str = ""
    """The only check that it is of; else all of the target's."""

    def explains(self, verdict: Verdict, today: date) -> bool:
        """Tell whether it is the problem of ``verdict``, and has not expired."""
        same = verdict.target == self.target or verdict.target.startswith(f"{self.target}:")
        return same and self.check in {"", verdict.check} and today <= self.until


class _Profile(Struct, frozen=True, forbid_unknown_fields=True):
    when: dict[str, str] = {}
    check: dict[str, _Check] = {}


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    profile: dict[str, _Profile] = {}
    check: dict[str, _Check] = {}
    known: list[Known] = []


class CheckSettings(Struct, frozen=True, kw_only=True):
    """The thresholds of one check."""

    rules: tuple[Rule, ...] = ()
    alone: tuple[Rule, ...] = ()
    """Instead of ``rules`` where there is no reference, and likeness is all that tells."""
    budget: float = 0.05
    enabled: bool = True
    numbers: Mapping[str, float] = {}


class Profile(Struct, frozen=True, kw_only=True):
    """Thresholds by check, the conditions that they are for, and known problems."""

    name: str
    when: Mapping[str, str]
    checks: Mapping[str, CheckSettings]
    known: tuple[Known, ...] = ()

    def fits(self, conditions: Mapping[str, str]) -> bool:
        """Tell whether it is for a run with these conditions."""
        return all(conditions.get(name) == value for name, value in self.when.items())


def parse_profiles(text: str, *, where: str) -> list[Profile]:
    """Return the profiles of a TOML file, those with conditions first.

    What the file leaves open is as in the default profile.

    Raises
    ------
    OptionError
        If it is no profile; the text names file, place, what was found and what was expected.
    """
    try:
        raw = tomllib.loads(text)
        file = msgspec.convert(raw, _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise OptionError(f"{where}: {exc}{_found(text, exc)}") from exc
    base = dict(_default_settings())
    common = _settings(file.check, base, where)
    made = [
        Profile(
            name=name, when=told.when, checks=_settings(told.check, common, where),
            known=tuple(file.known),
        )
        for name, told in file.profile.items()
    ]  # fmt: skip
    return [*made, Profile(name="default", when={}, checks=common, known=tuple(file.known))]


def default_profile() -> Profile:
    """Return the profile that is shipped."""
    return Profile(name="default", when={}, checks=_default_settings())


def profile_for(profiles: Iterable[Profile], conditions: Mapping[str, str]) -> Profile:
    """Return the first profile that is for a run with these conditions."""
    return next((p for p in profiles if p.fits(conditions)), default_profile())


@cache
def _default_settings() -> Mapping[str, CheckSettings]:
    shipped = resources.files("muonscope.quality") / "profiles" / "default.toml"
    file = msgspec.convert(tomllib.loads(shipped.read_text("utf-8")), _File)
    none = dict.fromkeys(file.check, CheckSettings())
    return _settings(file.check, none, "default.toml")


def _settings(
    told: Mapping[str, _Check], base: Mapping[str, CheckSettings], where: str
) -> dict[str, CheckSettings]:
    found = dict(base)
    for name, check in told.items():
        if name not in base:
            raise OptionError(f"{where}: check.{name}: no such check; there are {', '.join(base)}")
        before, place = base[name], f"{where}: check.{name}"
        numbers = {
            n: v for n in _Check.__struct_fields__[4:] if (v := getattr(check, n)) is not None
        }
        if before.numbers and (unknown := numbers.keys() - before.numbers.keys()):
            raise OptionError(
                f"{place}.{min(unknown)}: no such setting; there are {', '.join(before.numbers)}"
            )
        found[name] = CheckSettings(
            rules=before.rules if check.rules is None else _rules(check.rules, place),
            alone=before.alone if check.alone is None else _rules(check.alone, place),
            budget=before.budget if check.budget is None else check.budget,
            enabled=before.enabled if check.enabled is None else check.enabled,
            numbers={**before.numbers, **numbers},
        )
    return found


def _rules(told: list[_Rule], place: str) -> tuple[Rule, ...]:
    rules = []
    for rule in told:
        if rule.state not in {"WARN", "BAD"}:
            raise OptionError(f"{place}.rules: found state {rule.state!r}, expected WARN or BAD")
        if rule.ratio == 1:
            raise OptionError(f"{place}.rules: found ratio 1, expected another one")
        rules.append(Rule(ratio=rule.ratio, state=State.named(rule.state)))
    return tuple(rules)


def _found(text: str, exc: Exception) -> str:
    """Return what stands at the place that an error names, which it leaves out."""
    path = str(exc).partition("`$.")[2].rstrip("`").partition("`")[0]
    value: Any = tomllib.loads(text) if path else None
    for part in path.replace("[", ".[").split("."):
        if part == "[...]":
            value = value.get("...") if isinstance(value, dict) else value
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return ""
    return f"; found {value!r:.80}" if path else ""
