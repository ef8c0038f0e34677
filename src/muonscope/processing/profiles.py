"""The profiles that a run is judged by: from a file, or that which is shipped."""

from pathlib import Path

from muonscope.errors import OptionError
from muonscope.quality.profile import Profile, default_profile, parse_profiles

__all__ = ["read_profiles"]


def read_profiles(path: str) -> list[Profile]:
    """Return the profiles in a file; without one, that which is shipped.

    Raises
    ------
    OptionError
        If it cannot be read, or is none.
    """
    if not path:
        return [default_profile()]
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise OptionError(f"{path}: cannot be read: {exc}") from exc
    return parse_profiles(text, where=path)
