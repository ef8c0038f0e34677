"""Client settings for Kafka: anything librdkafka takes, secrets masked where shown."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from muonscope.errors import OptionError

__all__ = ["ENVIRONMENT_PREFIX", "KafkaSettings"]

ENVIRONMENT_PREFIX = "MUONSCOPE_KAFKA_"

_SECRET = re.compile(
    r"password|passphrase|secret|credential|token|\.pem$|oauthbearer\.config|jaas", re.IGNORECASE
)
_OURS = frozenset(
    {
        "auto.commit.enable", "auto.offset.reset", "bootstrap.servers", "enable.auto.commit",
        "enable.auto.offset.store", "enable.idempotence", "enable.partition.eof", "group.id",
        "isolation.level", "metadata.broker.list", "transactional.id",
    }
)  # fmt: skip
"""Settings on which exactness depends: muonscope makes them itself."""

_JAVA_NAMES = {
    "client.id": "client.id", "security.protocol": "security.protocol",
    "sasl.mechanism": "sasl.mechanism", "sasl.mechanisms": "sasl.mechanism",
    "ssl.ca.location": "ssl.truststore.location",
    "ssl.endpoint.identification.algorithm": "ssl.endpoint.identification.algorithm",
}  # fmt: skip
"""Settings that Kafka's client in Java has, too, by librdkafka's names."""


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Settings by librdkafka's names; its text hides what is secret."""

    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse settings that are muonscope's own to make."""
        for name in self.values:
            if name in _OURS:
                raise OptionError(
                    f"kafka setting {name}: is made by muonscope itself; the URL and the options"
                    " of the command say servers, group and start"
                )

    @classmethod
    def of(cls, text: str, environment: Mapping[str, str], where: str = "") -> "KafkaSettings":
        """Return the settings of a ``name = value`` file and of environment variables.

        ``MUONSCOPE_KAFKA_SASL_PASSWORD`` is ``sasl.password``; the environment wins.

        Raises
        ------
        OptionError
            If a line is no setting; the message names file and line, but not the value.
        """
        values: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            plain = line.strip()
            if not plain or plain.startswith(("#", ";")):
                continue
            name, equals, value = plain.partition("=")
            if not equals or not re.fullmatch(r"[a-z0-9._]+", name.strip()):
                raise OptionError(f"{where}: line {number}: expected name = value")
            values[name.strip()] = value.strip()
        for variable, value in environment.items():
            if variable.startswith(ENVIRONMENT_PREFIX):
                name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("_", ".")
                values[name] = value
        return cls(values)

    def with_ours(self, **ours: Any) -> dict[str, Any]:
        """Return a client's configuration; ``ours`` are written with ``_`` for ``.``.

        Callbacks (``error_cb``) keep their names.
        """
        named = {n if n.endswith("_cb") else n.replace("_", "."): v for n, v in ours.items()}
        return dict(self.values) | named

    def for_java(self) -> dict[str, str]:
        """Return the settings by the names that Kafka's own client in Java takes.

        Raises
        ------
        OptionError
            If one has no counterpart there.
        """
        values = dict(self.values)
        user, password = values.pop("sasl.username", ""), values.pop("sasl.password", "")
        result: dict[str, str] = {}
        for name, value in values.items():
            if name not in _JAVA_NAMES:
                raise OptionError(f"kafka setting {name}: is unknown to Spark's Kafka client")
            result[_JAVA_NAMES[name]] = value
        if "ssl.truststore.location" in result:
            result["ssl.truststore.type"] = "PEM"
        if user:
            module = "scram.Scram" if "SCRAM" in result.get("sasl.mechanism", "") else "plain.Plain"
            quoted = [text.replace("\\", "\\\\").replace('"', '\\"') for text in (user, password)]
            result["sasl.jaas.config"] = (
                f"org.apache.kafka.common.security.{module}LoginModule required"
                f' username="{quoted[0]}" password="{quoted[1]}";'
            )
        return result

    def masked(self) -> dict[str, str]:
        """Return the settings with ``***`` for what is secret."""
        return {n: "***" if _SECRET.search(n) else v for n, v in sorted(self.values.items())}

    def __str__(self) -> str:
        """Return one line, secrets masked."""
        return ", ".join(f"{name}={value}" for name, value in self.masked().items())

    __repr__ = __str__
