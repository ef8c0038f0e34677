"""The ``topics`` command: what is in the topics of some brokers, a row each."""

import json
import time
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from muonscope.cli.options import TopicsOptions
from muonscope.cli.say import say, tell
from muonscope.errors import OptionError
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import kafka_options
from muonscope.transports.kafka.survey import Survey, TopicView, survey
from muonscope.transports.kafka.url import KafkaUrl

__all__ = ["topics_command"]

_LONGEST = 60
_FEW_GROUPS = 5


def topics_command(options: TopicsOptions) -> None:
    """Print what is in the topics at a URL, as a table or as JSON.

    Raises
    ------
    OptionError
        If it is no URL of brokers.
    SourceError
        If no broker answers, or one refuses.
    """
    url = options.url
    if "?" in url:
        raise OptionError(f"found {url!r}, expected kafka://host:port without options")
    place = KafkaUrl.parse(url, needs_topic=False)
    kafka = kafka_options(options.kafka_config, stop=Stop(), tell=tell, no_wait=options.no_wait)
    found, now = survey(place, kafka), time.time()
    if options.json:
        print(json.dumps(_as_json(found, now), indent=2))  # noqa: T201
        return
    for note in found.notes:
        say(plain(note, 500))
    if not found.topics:
        print(f"no topics at {found.servers}")  # noqa: T201
        return
    Console().print(_table(found, now))


def plain(text: str, longest: int = _LONGEST) -> str:
    r"""Return ``text`` as it can be shown anywhere: escaped where not printable, and cut.

    Examples
    --------
    >>> print(plain("a\x1b[31mb"))
    a\x1b[31mb
    """
    cut = text if len(text) <= longest else text[: longest - 3] + "..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _table(found: Survey, now: float) -> Table:
    table = Table()
    for name in ("topic", "holds", "partitions", "messages", "newest", "last window", "behind"):
        table.add_column(
            name, justify="right" if name in {"partitions", "messages"} else "left", overflow="fold"
        )
    for topic in found.topics:
        cells = (
            topic.name, _holds(topic), f"{topic.partitions:,}", f"{topic.messages:,}",
            _newest(topic, now), _window(topic), _behind(topic),
        )  # fmt: skip
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _holds(topic: TopicView) -> str:
    kinds = ", ".join(topic.holds) or ("unknown" if topic.messages else "empty")
    return f"{kinds} ({plain(topic.trouble, 200)})" if topic.trouble else kinds


def _newest(topic: TopicView, now: float) -> str:
    if topic.newest_ns is not None:
        return f"detector {topic.newest_ns / 1e9:,.3f} s"
    return "" if topic.newest_ms is None else _age(now - topic.newest_ms / 1e3)


def _age(age_s: float) -> str:
    if age_s < -60:
        return "in the future"
    for unit, seconds in (("days", 86_400), ("h", 3600), ("min", 60)):
        if age_s >= 2 * seconds:
            return f"{age_s / seconds:,.0f} {unit} ago"
    return f"{max(0.0, age_s):.0f} s ago"


def _window(topic: TopicView) -> str:
    last = topic.last_window
    if last is None:
        return ""
    return f"{plain(last.run)}/{last.epoch}/{last.window}, to {last.end_ns / 1e9:,.3f} s"


def _behind(topic: TopicView) -> str:
    lines = [f"{plain(lag.group)}: {lag.messages:,}" for lag in topic.lags[:_FEW_GROUPS]]
    if len(topic.lags) > _FEW_GROUPS:
        lines.append(f"and {len(topic.lags) - _FEW_GROUPS:,} more groups")
    return "\n".join(lines)


def _as_json(found: Survey, now: float) -> dict[str, Any]:
    return {
        "servers": found.servers,
        "topics": [_topic_as_json(topic, now) for topic in found.topics],
        "notes": list(found.notes),
    }


def _topic_as_json(topic: TopicView, now: float) -> dict[str, Any]:
    last, sent = topic.last_window, topic.newest_ms
    return {
        "name": topic.name,
        "holds": list(topic.holds),
        "partitions": topic.partitions,
        "messages": topic.messages,
        "newest_ms": sent,
        "age_s": None if sent is None else round(now - sent / 1e3, 3),
        "newest_detector_ns": topic.newest_ns,
        "last_window": last
        and {"run": last.run, "epoch": last.epoch, "window": last.window, "end_ns": last.end_ns},
        "groups": [{"group": lag.group, "behind": lag.messages} for lag in topic.lags],
        "trouble": topic.trouble,
    }
