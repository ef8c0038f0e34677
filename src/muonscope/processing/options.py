"""The options of processing: what ``muonscope process`` and ``muonscope.process`` take."""

from dataclasses import dataclass

from muonscope.options import (
    allow_duplicates_option,
    archive_option,
    condition_option,
    detector_option,
    force_option,
    kafka_config_option,
    no_wait_option,
    option,
    partitions_option,
    profile_option,
    replication_option,
    sources_option,
    without_option,
)

__all__ = ["ProcessOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessOptions:
    """The options of processing, as they were written.

    Lengths of time are texts such as ``500ms``, or numbers of seconds.
    """

    sources: tuple[str, ...] = sources_option()
    detector: str = detector_option()
    to: str = option(
        "-", "--to", metavar="DEST", help="A .jsonl file, a folder, kafka://, or - (default).",
        shows_default=False,
    )  # fmt: skip
    run: str = option("", "--run", metavar="NAME", help="Name of the run; default: from SOURCE.")
    condition: tuple[str, ...] = condition_option()
    window: str | float = option("1s", "--window", metavar="TIME", help="Length of a window.")
    lateness: str | float = option(
        "100ms", "--lateness", metavar="TIME", help="How far one FPGA may step back."
    )
    idle_timeout: str | float = option(
        "5s", "--idle-timeout", metavar="TIME", help="Stop waiting for an FPGA this far behind."
    )
    without: tuple[str, ...] = without_option()
    follow: bool = option(False, "--follow", help="Keep reading as files grow.")
    allow_duplicates: bool = allow_duplicates_option()
    idle_exit: str | float = option(
        "", "--idle-exit", metavar="TIME",
        help="Growing sources: stop when idle for this long.",
    )  # fmt: skip
    state: str = option(
        "", "--state", metavar="DIR", help="Go on exactly where a run stopped or was killed."
    )
    archive: str = archive_option()
    profile: str = profile_option()
    strict: bool = option(False, "--strict", help="Exit with 4 if much of the data is lost.")
    force: bool = force_option()
    engine: str = option("native", "--engine", metavar="NAME", help="native or spark.")
    master: str = option(
        "", "--master", metavar="URL", help="Spark: the cluster; default: local[*]."
    )
    checkpoint: str = option(
        "", "--checkpoint", metavar="DIR",
        help="Spark: folder for the checkpoint of its query.",
    )  # fmt: skip
    trigger: str | float = option(
        "", "--trigger", metavar="TIME", help="Spark: time between micro-batches; default: 1s."
    )
    kafka_config: str = kafka_config_option()
    partitions: int | None = partitions_option()
    replication: int = replication_option()
    no_wait: bool = no_wait_option()
    metrics_port: int | None = option(
        None, "--metrics-port", metavar="PORT", bounds=(0, 65535),
        help="Prometheus metrics on this port.",
    )  # fmt: skip
