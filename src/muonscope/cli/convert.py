"""The ``convert`` command."""

import sys

from muonscope.cli.formats import encoder_for, format_of, writing
from muonscope.cli.kernels import kernels_for, load_kernels
from muonscope.errors import FormatError
from muonscope.intake import Intake
from muonscope.wiring import detector_for, open_source
from muonscope.words.rejects import Rejects

__all__ = ["convert_source"]


def convert_source(source: str, dest: str, to: str, detector_name: str, *, force: bool) -> int:
    """Write the words of ``source`` to ``dest``; return the exit code.

    Raises
    ------
    OptionError
        If the format is unknown.
    FormatError
        If something could not be decoded, or the format cannot hold a word; what was
        written is removed then.
    SinkError
        If ``dest`` cannot be written.
    """
    name = format_of(dest, to)
    detector = detector_for([source], detector_name)
    load_kernels(kernels_for([source]))
    intake = Intake(open_source([source], detector=detector), detector.readout)
    rejects = Rejects()
    encoder = encoder_for(name, detector)
    words = 0
    with writing(dest, force=force) as file:
        file.write(encoder.begin())
        for batch in intake.batches():
            if batch.token.error:
                raise batch.token.error
            rejects.add(batch.decoded.rejects)
            if rejects.total:
                raise FormatError(f"{source}: not all can be decoded: {rejects.examples[0]}")
            file.write(encoder.encode(batch.decoded.words))
            words += len(batch.decoded.words)
        file.write(encoder.end())
    print(f"{words:,} words written to {dest} as {name}", file=sys.stderr)  # noqa: T201
    return 0
