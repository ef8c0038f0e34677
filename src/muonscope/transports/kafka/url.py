"""Kafka URLs: ``kafka://host:port[,host:port]/topic?group=...&start=...``."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from muonscope.errors import OptionError

__all__ = ["SCHEME", "KafkaUrl", "is_kafka_url"]

SCHEME = "kafka://"

STARTS = ("earliest", "latest", "committed")
"""Where reading may start when nothing is known of an earlier run."""

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
_PORT, _LAST_PORT = ":9092", 65535


def is_kafka_url(text: str) -> bool:
    """Tell whether ``text`` begins like a Kafka URL."""
    return text.startswith(SCHEME)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaUrl:
    """The parts of a Kafka URL."""

    servers: str
    """Comma-separated ``host:port``, each with its port."""
    topic: str
    """Empty where a URL names brokers alone."""
    group: str = ""
    """Consumer group; empty for the default of the command."""
    start: str = "earliest"
    """Of :data:`STARTS`."""

    @classmethod
    def parse(cls, text: str, *, needs_topic: bool = True) -> "KafkaUrl":
        """Return the parts of ``text``.

        Raises
        ------
        OptionError
            If it is no Kafka URL; the message names the part.

        Examples
        --------
        >>> KafkaUrl.parse("kafka://localhost/topic_stream?start=latest")
        KafkaUrl(servers='localhost:9092', topic='topic_stream', group='', start='latest')
        """
        if not is_kafka_url(text):
            raise OptionError(f"found {text!r}, expected kafka://host:port/topic")
        rest, _, query = text.removeprefix(SCHEME).partition("?")
        servers, _, topic = rest.partition("/")
        if "@" in rest:
            raise OptionError(
                "kafka URL: found a user name, expected host:port; credentials belong into"
                " --kafka-config or MUONSCOPE_KAFKA_SASL_USERNAME and ..._PASSWORD"
            )
        if not servers or not all(_SERVER.fullmatch(s) for s in servers.split(",")):
            raise OptionError(f"kafka URL: found servers {servers!r}, expected host:port[,...]")
        whole = _with_ports(servers)
        for port in (server.rpartition(":")[2] for server in whole.split(",")):
            if not 1 <= int(port) <= _LAST_PORT:
                raise OptionError(f"kafka URL: found port {port}, expected 1 .. {_LAST_PORT}")
        if (topic or needs_topic) and (not _TOPIC.fullmatch(topic) or topic in {".", ".."}):
            raise OptionError(
                f"kafka URL: found topic {topic!r}, expected letters, digits, '.', '_' or '-'"
            )
        return cls(servers=whole, topic=topic, **_options(query))

    def __str__(self) -> str:
        """Return the URL without its options."""
        return f"{SCHEME}{self.servers}/{self.topic}"


def _with_ports(servers: str) -> str:
    named = (_SERVER.fullmatch(server) for server in servers.split(","))
    return ",".join(m[1] + (m[2] or _PORT) for m in named if m)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in {"group", "start"} or name in options or not value:
            shown = f"={value!r}" if name in {"group", "start"} else ""
            raise OptionError(
                f"kafka URL: found option {name}{shown}, expected group=NAME and"
                f" start={'|'.join(STARTS)}, each once"
            )
        options[name] = value
    if options.get("start", "earliest") not in STARTS:
        raise OptionError(f"kafka URL: found start={options['start']}, expected {'|'.join(STARTS)}")
    return options
