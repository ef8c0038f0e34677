"""The ``muonscope`` command: its parts, its options, and its one place to catch errors.

Nothing heavy is imported here, so that ``--help`` answers at once; each command imports
what it needs when it runs.
"""

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

from muonscope import __version__
from muonscope.errors import MuonscopeError, SinkError

__all__ = ["app", "run"]

INTERRUPTED = 130
_BROKEN_PIPE = 141
_INTERNAL = 70

app = typer.Typer(
    name="muonscope",
    help="Live data quality for trigger-less drift-tube muon telescopes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
detectors_app = typer.Typer(
    name="detectors", help="List, show and check detector descriptions.", rich_markup_mode=None
)
app.add_typer(detectors_app)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: one clear line and an exit code for every error, no traceback.

    With ``debug`` errors are left as they are.
    """

    @wraps(command)
    def wrapper(*args: Any, debug: bool, **options: Any) -> None:
        if debug:
            command(*args, debug=debug, **options)
            return
        try:
            command(*args, debug=debug, **options)
            sys.stdout.flush()
        except typer.Exit:
            raise
        except MuonscopeError as exc:
            typer.echo(f"muonscope: error: {exc}", err=True)
            raise typer.Exit(exc.exit_code) from exc
        except KeyboardInterrupt as exc:
            typer.echo("muonscope: interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from exc
        except BrokenPipeError as exc:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(_BROKEN_PIPE) from exc
        except OSError as exc:
            where = f"{exc.filename}: " if exc.filename else ""
            typer.echo(f"muonscope: error: {where}{exc.strerror or exc}", err=True)
            raise typer.Exit(SinkError.exit_code) from exc
        except Exception as exc:
            text = f"{type(exc).__name__}: {exc}; --debug shows where"
            typer.echo(f"muonscope: internal error: {text}", err=True)
            raise typer.Exit(_INTERNAL) from exc

    return wrapper


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="File, folder, glob, s3://, kafka://, sim: or -.",
        show_default=False,
    ),
]
KafkaConfig = Annotated[
    str, typer.Option("--kafka-config", metavar="FILE", help="Client settings: name = value.")
]
Partitions = Annotated[
    int | None, typer.Option("--partitions", metavar="N", help="Of a topic that is made.")
]
Replication = Annotated[
    int, typer.Option("--replication", metavar="N", help="Of a topic that is made.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Fail at once where no broker answers.")]
DetectorOption = Annotated[
    str,
    typer.Option(
        "--detector", "-d", metavar="NAME|FILE",
        help="Shipped name or TOML file; default: legnaro.",
    ),
]  # fmt: skip
Debug = Annotated[bool, typer.Option("--debug", help="Show where an error came from.")]


@app.callback(invoke_without_command=True)
def main(
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Answer ``--version``."""
    if version:
        typer.echo(f"muonscope {__version__}")
        raise typer.Exit


@app.command(epilog="Example: muonscope process run/ --detector legnaro --to results.jsonl")
@guarded
def process(
    source: Sources,
    *,
    detector: DetectorOption = "",
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="DEST",
            show_default=False,
            help="A .jsonl file, a folder, kafka://, or - (default).",
        ),
    ] = "-",
    run: Annotated[str, typer.Option(help="Name of the run; default: from SOURCE.")] = "",
    window: Annotated[str, typer.Option(help="Length of a window.")] = "1s",
    lateness: Annotated[str, typer.Option(help="How far one FPGA may step back.")] = "100ms",
    idle_timeout: Annotated[str, typer.Option(help="When a silent FPGA is not waited for.")] = "5s",
    follow: Annotated[bool, typer.Option("--follow", help="Keep reading as files grow.")] = False,
    idle_exit: Annotated[
        str, typer.Option(metavar="TIME", help="Growing sources: stop after so long without data.")
    ] = "",
    state: Annotated[
        str, typer.Option(metavar="DIR", help="Go on exactly where a run stopped or was killed.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite DEST.")] = False,
    engine: Annotated[str, typer.Option(help="native, or spark.")] = "native",
    master: Annotated[
        str, typer.Option(metavar="URL", help="Spark: the cluster; default: local[*].")
    ] = "",
    checkpoint: Annotated[
        str, typer.Option(metavar="DIR", help="Spark: where it keeps its positions.")
    ] = "",
    trigger: Annotated[
        str, typer.Option(metavar="TIME", help="Spark: a batch every so often; default: 1s.")
    ] = "",
    kafka_config: KafkaConfig = "",
    partitions: Partitions = None,
    replication: Replication = 1,
    no_wait: NoWait = False,
    metrics_port: Annotated[
        int | None, typer.Option(metavar="PORT", min=0, max=65535, help="For Prometheus.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Count words in exact windows of detector time; write a message per window."""
    from muonscope.processing.plan import Options
    from muonscope.processing.process import process_sources

    code = process_sources(
        Options(
            sources=source, detector=detector, to=to, run=run, window=window, lateness=lateness,
            idle_timeout=idle_timeout, follow=follow, idle_exit=idle_exit, state=state, force=force,
            engine=engine, master=master, checkpoint=checkpoint, trigger=trigger,
            kafka_config=kafka_config, partitions=partitions, replication=replication,
            no_wait=no_wait, metrics_port=metrics_port,
        )
    )  # fmt: skip
    raise typer.Exit(code)


@app.command(epilog="Example: muonscope inspect unknown.dat")
@guarded
def inspect(
    source: Sources,
    *,
    detector: Annotated[
        str,
        typer.Option(
            "--detector", "-d", metavar="NAME|FILE", help="Default: the shipped one that fits best."
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    kafka_config: KafkaConfig = "",
    debug: Debug = False,
) -> None:
    """Tell what a file is: format, words, time, rates, and everything odd in it."""
    from muonscope.cli.inspect import inspect_sources

    inspect_sources(source, detector, kafka_config, as_json=json)


@app.command(epilog="Example: muonscope convert run.csv run.parquet")
@guarded
def convert(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="File, folder, glob, URL or -.")],
    dest: Annotated[str, typer.Argument(metavar="DEST", help="File, kafka://, or -.")],
    *,
    to: Annotated[
        str,
        typer.Option(
            "--format", "-f", metavar="FORMAT",
            help="csv, json, dat, block or parquet; default: by the ending of DEST.",
        ),
    ] = "",
    detector: DetectorOption = "",
    force: Annotated[bool, typer.Option("--force", help="Overwrite DEST.")] = False,
    kafka_config: KafkaConfig = "",
    partitions: Partitions = None,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Write words in another format; refuse where that would lose anything."""
    from muonscope.cli.convert import Options, convert_source

    code = convert_source(
        Options(
            source=source, dest=dest, format=to, detector=detector, force=force,
            kafka_config=kafka_config, partitions=partitions,
        )
    )  # fmt: skip
    raise typer.Exit(code)


@app.command(epilog="Example: muonscope simulate run/ --seconds 60 --fault noisy:ch0:61@20s-40s")
@guarded
def simulate(
    dest: Annotated[str, typer.Argument(metavar="DEST", hidden=True)],
    *,
    profile: Annotated[str, typer.Option(help="legnaro, bologna or quiet.")] = "legnaro",
    detector: Annotated[
        str,
        typer.Option("--detector", "-d", metavar="NAME|FILE", help="Default: the profile's."),
    ] = "",
    seconds: Annotated[
        str, typer.Option(metavar="TIME", help="Detector time; default: 60s, paced: no end.")
    ] = "",
    words: Annotated[str, typer.Option(metavar="N", help="End after exactly N words.")] = "",
    seed: Annotated[str, typer.Option(metavar="N", help="Same seed, same words.")] = "1",
    rate_scale: Annotated[str, typer.Option(metavar="X", help="Times all rates.")] = "1",
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="NAME[:TARGET][:VALUE][@START-END]; repeatable."),
    ] = None,
    start_orbit: Annotated[str, typer.Option(metavar="N", help="First orbit.")] = "",
    truth: Annotated[str, typer.Option(metavar="FILE", help="The truth, as .parquet.")] = "",
    to: Annotated[
        str, typer.Option("--format", "-f", metavar="FORMAT", help="As convert, and dat129.")
    ] = "",
    realtime: Annotated[bool, typer.Option("--realtime", help="Write as a DAQ would.")] = False,
    speed: Annotated[
        float | None, typer.Option(metavar="X", help="The same, so many times as fast.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite DEST.")] = False,
    kafka_config: KafkaConfig = "",
    partitions: Partitions = None,
    debug: Debug = False,
) -> None:
    """Write simulated words to DEST: a file, a folder of files, kafka://, or -."""
    from muonscope.cli.simulate import Options, simulate_to

    options = {
        "seconds": [seconds], "words": [words], "seed": [seed], "rate-scale": [rate_scale],
        "fault": fault or [], "start-orbit": [start_orbit],
    }  # fmt: skip
    code = simulate_to(
        Options(
            dest=dest, detector=detector, profile=profile, truth=truth, format=to, force=force,
            given={name: values for name, values in options.items() if values and values != [""]},
            speed=1.0 if realtime and speed is None else speed,
            kafka_config=kafka_config, partitions=partitions,
        )
    )  # fmt: skip
    raise typer.Exit(code)


@app.command(epilog="Example: muonscope replay run/ --to kafka://localhost:9092/topic_stream")
@guarded
def replay(
    source: Sources,
    *,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="kafka://host:port/topic.")],
    detector: DetectorOption = "",
    rate: Annotated[
        float | None, typer.Option(metavar="HZ", help="Words a second; default: 1000.")
    ] = None,
    speed: Annotated[
        float | None, typer.Option(metavar="X", help="So many times as fast as the detector was.")
    ] = None,
    fastest: Annotated[bool, typer.Option("--max", help="As fast as it goes.")] = False,
    encoding: Annotated[str, typer.Option(help="block, or json: one hit each.")] = "block",
    loop: Annotated[bool, typer.Option("--loop", help="Again and again, orbits going on.")] = False,
    keep_orbits: Annotated[
        bool, typer.Option("--keep-orbits", help="With --loop: orbits as they were.")
    ] = False,
    state: Annotated[
        str, typer.Option(metavar="DIR", help="Go on exactly where a replay was killed.")
    ] = "",
    kafka_config: KafkaConfig = "",
    partitions: Partitions = None,
    replication: Replication = 1,
    no_wait: NoWait = False,
    debug: Debug = False,
) -> None:
    """Send words of a recording to a topic, as a DAQ would."""
    from muonscope.replaying.replay import Options, replay_to

    code = replay_to(
        Options(
            sources=source, to=to, detector=detector, rate=rate, speed=speed,
            as_fast_as_possible=fastest, encoding=encoding, loop=loop, keep_orbits=keep_orbits,
            state=state, kafka_config=kafka_config, partitions=partitions,
            replication=replication, no_wait=no_wait,
        )
    )  # fmt: skip
    raise typer.Exit(code)


@app.command(epilog="Example: muonscope topics kafka://localhost:9092")
@guarded
def topics(
    url: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="kafka://host:port; with /topic, that one.", show_default=False
        ),
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    kafka_config: KafkaConfig = "",
    no_wait: NoWait = False,
    debug: Debug = False,
) -> None:
    """Tell what is in topics: how much, how new, the last window, and who is behind."""
    from muonscope.cli.topics import show_topics

    show_topics(url, kafka_config, no_wait=no_wait, as_json=json)


Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")]
Open = Annotated[bool, typer.Option("--open", help="Open it in a browser.")]


@app.command(epilog="Example: muonscope dashboard kafka://localhost:9092/topic_results")
@guarded
def dashboard(
    source: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", show_default=False,
            help="Words, as of process; or results: .jsonl, folder, kafka://.",
        ),
    ],
    *,
    detector: DetectorOption = "",
    host: Host = "127.0.0.1",
    port: Port = 5006,
    open_: Open = False,
    run: Annotated[str, typer.Option(help="The only run to show; of words: its name.")] = "",
    window: Annotated[str, typer.Option(help="Of words: length of a window.")] = "1s",
    speed: Annotated[
        float | None,
        typer.Option(metavar="X", help="So many times as fast as the detector was."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Keep reading as files grow.")] = False,
    history: Annotated[str, typer.Option(metavar="TIME", help="Kept in full detail.")] = "2h",
    reference: Annotated[
        str, typer.Option(metavar="SOURCE", help="A run to compare with: words or results.")
    ] = "",
    token_file: Annotated[
        str, typer.Option(metavar="FILE", help="Let in only who knows what is in it.")
    ] = "",
    insecure_open: Annotated[
        bool, typer.Option("--insecure-open", help="Let everybody in who can reach it.")
    ] = False,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Answer under this name, too; repeatable."),
    ] = None,
    prefix: Annotated[
        str, typer.Option(metavar="PATH", help="Path that a proxy passes on, as /muonscope.")
    ] = "",
    kafka_config: KafkaConfig = "",
    no_wait: NoWait = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Show words or results live, to any number of browsers."""
    from muonscope.dashboard.launch import Options, show_dashboard

    code = show_dashboard(
        Options(
            sources=source, detector=detector, host=host, port=port, open=open_, run=run,
            window=window, speed=speed, follow=follow, history=history, reference=reference,
            token_file=token_file, insecure_open=insecure_open,
            allow_host=tuple(allow_host or ()), prefix=prefix, kafka_config=kafka_config,
            no_wait=no_wait,
        )
    )  # fmt: skip
    raise typer.Exit(code)


@app.command(epilog="Example: muonscope demo --open")
@guarded
def demo(
    *,
    host: Host = "127.0.0.1",
    port: Port = 5006,
    open_: Open = False,
    token_file: Annotated[str, typer.Option(metavar="FILE", help="As of dashboard.")] = "",
    debug: Debug = False,
) -> None:
    """Show a simulated telescope in real time, and tell what to look at."""
    from muonscope.dashboard.launch import Options, show_demo

    options = Options(
        sources=["sim:legnaro"], host=host, port=port, open=open_, token_file=token_file
    )
    raise typer.Exit(show_demo(options))


@detectors_app.command("list", epilog="Example: muonscope detectors list")
@guarded
def detectors_list(*, debug: Debug = False) -> None:
    """List the shipped detectors."""
    from muonscope.cli.detectors import list_detectors

    list_detectors()


@detectors_app.command("show", epilog="Example: muonscope detectors show run001213")
@guarded
def detectors_show(
    name: Annotated[str, typer.Argument(help="Name of a shipped detector.")],
    *,
    debug: Debug = False,
) -> None:
    """Show the description of a shipped detector, to copy and change."""
    from muonscope.cli.detectors import show_detector

    show_detector(name)


@detectors_app.command("check", epilog="Example: muonscope detectors check mine.toml")
@guarded
def detectors_check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="TOML file.")], *, debug: Debug = False
) -> None:
    """Check a detector description and tell what it says."""
    from muonscope.cli.detectors import check_detector

    check_detector(file)


def run() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
