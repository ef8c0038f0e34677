"""Every exception that muonscope raises on purpose, in one tree.

::

    MuonscopeError                exit code 1
    +-- OptionError               2   an option or argument that makes no sense
    |   +-- DetectorError             a detector file or name that cannot be used
    +-- SourceError               3   a source that cannot be read
    |   +-- SourceNotFoundError       nothing there: file, folder, glob, bucket, topic
    |   +-- SourceLostError           was there, and is not as it was; opening it again may help
    |   +-- SourceDeniedError         there, but permission is refused
    +-- FormatError               4   bytes that are no known format, or words a format cannot hold
    +-- SinkError                 5   a destination that cannot be written
    |   +-- SinkExistsError           there already, and ``--force`` was not given
    |   +-- RolledBackError           what was published was taken back; it can be made again
    +-- StateError                6   a state directory that does not fit this run
    +-- VerdictError              7   data as bad, or as different, as ``--fail-on`` says
    +-- AccountingError          70   the accounting law is broken: a bug in muonscope

A message says what was found, what was expected, where, and what to do. Errors of
other libraries are translated where they enter, with ``raise ... from``. Only the
command line catches this tree; it prints the one line and exits with ``exit_code``.
"""

__all__ = [
    "AccountingError",
    "DetectorError",
    "FormatError",
    "MuonscopeError",
    "OptionError",
    "RolledBackError",
    "SinkError",
    "SinkExistsError",
    "SourceDeniedError",
    "SourceError",
    "SourceLostError",
    "SourceNotFoundError",
    "StateError",
    "VerdictError",
]


class MuonscopeError(Exception):
    """Base of all errors that muonscope raises on purpose."""

    exit_code = 1


class OptionError(MuonscopeError):
    """An option or argument that makes no sense."""

    exit_code = 2


class DetectorError(OptionError):
    """A detector description that cannot be used; the message names the key."""


class SourceError(MuonscopeError):
    """A source that cannot be read."""

    exit_code = 3


class SourceNotFoundError(SourceError):
    """Nothing is there to read."""


class SourceLostError(SourceError):
    """The source was there, and is not as it was; opening it again may help."""


class SourceDeniedError(SourceError):
    """The source is there, but reading it is refused."""


class FormatError(MuonscopeError):
    """Bytes of no known format, or words that a format cannot hold."""

    exit_code = 4


class SinkError(MuonscopeError):
    """A destination that cannot be written."""

    exit_code = 5


class SinkExistsError(SinkError):
    """The destination is there already."""


class RolledBackError(SinkError):
    """A transaction was lost; what it held must be made again from the saved state."""


class StateError(MuonscopeError):
    """Saved state that is damaged or belongs to another run."""

    exit_code = 6


class VerdictError(MuonscopeError):
    """Data that are as bad, or as different, as was asked to fail on."""

    exit_code = 7


class AccountingError(MuonscopeError):
    """Words or bytes went uncounted: never the user's fault."""

    exit_code = 70
