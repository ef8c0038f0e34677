"""How many examples property tests try: a few with the profile ``dev``, else all of them.

The profile ``ci`` is the default; `make quick` takes ``dev``; ``mutants`` looks for a failure,
and for no smaller one. None has a deadline: how
long an example takes says more about what else runs than about the code.
"""

import os

from hypothesis import Phase, settings

__all__ = ["examples", "register_profiles"]

_FULL, _FEW, _FEWEST = 100, 10, 5


def register_profiles() -> None:
    """Register the profiles, and load that of CI."""
    fixed = os.environ.get("CI") == "true"  # chance must not decide whether a change may land
    settings.register_profile(
        "ci", max_examples=_FULL, deadline=None, print_blob=True, derandomize=fixed
    )
    settings.register_profile("dev", max_examples=_FEW, deadline=None)
    settings.register_profile(
        "mutants", max_examples=_FULL, deadline=None, derandomize=True,
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    settings.load_profile("ci")


def examples(n: int) -> settings:
    """Return a decorator: ``n`` examples with the profile ``ci``, in proportion with others."""
    share = settings().max_examples / _FULL
    return settings(max_examples=n if share == 1 else max(_FEWEST, round(n * share)))
