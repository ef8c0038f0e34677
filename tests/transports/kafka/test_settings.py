"""Settings of a Kafka client: from file and environment, and never a secret in any text."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muonscope.errors import OptionError
from muonscope.transports.kafka.settings import KafkaSettings

SECRET = "hunter2\"\\'%s"
SECRETS = [
    "sasl.password", "ssl.key.password", "ssl.keystore.password", "ssl.key.pem",
    "ssl.certificate.pem", "ssl.ca.pem", "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.config", "sasl.oauthbearer.client.credentials.client.secret",
    "sasl.oauthbearer.assertion.private.key.passphrase",
    "sasl.oauthbearer.assertion.private.key.pem", "sasl.jaas.config",
]  # fmt: skip
OURS = [
    "auto.offset.reset", "bootstrap.servers", "metadata.broker.list", "enable.auto.commit",
    "auto.commit.enable", "enable.auto.offset.store", "enable.idempotence",
    "enable.partition.eof", "group.id", "isolation.level", "transactional.id",
]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_in_no_text(name: str) -> None:
    made = KafkaSettings.of(f"{name} = {SECRET}\nclient.id = me", {})
    assert made.values[name] == SECRET
    for text in (str(made), repr(made), f"{made}", f"{[made]!r}", str(made.masked())):
        assert "hunter2" not in text
    assert str(made) == ", ".join(sorted([f"{name}=***", "client.id=me"]))


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_in_no_error(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        KafkaSettings.of(f"client.id = me\n{name.upper()} = {SECRET}", {}, "kafka.conf")
    assert str(caught.value) == "kafka.conf: line 2: expected name = value"
    with pytest.raises(OptionError) as caught:
        KafkaSettings.of(f"{name}: {SECRET}", {}, "kafka.conf")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    unknown = KafkaSettings.of(f"{name} = {SECRET}\nlinger.ms = 5", {})
    with pytest.raises(OptionError) as caught:
        unknown.for_java()
    assert "hunter2" not in str(caught.value)


def test_a_file_has_names_and_values_comments_and_blank_lines() -> None:
    text = "# comment\n\n; another\n  client.id =  a = b \r\nlinger.ms=5\nclient.rack=\nlinger.ms=6"
    assert KafkaSettings.of(text, {}).values == {
        "client.id": "a = b", "linger.ms": "6", "client.rack": ""
    }  # fmt: skip
    assert KafkaSettings.of("", {}).values == {}
    assert str(KafkaSettings()) == ""


@pytest.mark.parametrize(
    "line", ["client.id", "= x", "Client.Id = x", "client id = x", "[section]"]
)
def test_a_line_that_is_no_setting_is_named(line: str) -> None:
    with pytest.raises(OptionError, match=r"^f\.conf: line 3: expected name = value$"):
        KafkaSettings.of(f"# one\na.b = c\n{line}\n", {}, "f.conf")


def test_the_environment_wins_over_the_file() -> None:
    environment = {
        "MUONSCOPE_KAFKA_SASL_PASSWORD": SECRET, "MUONSCOPE_KAFKA_CLIENT_ID": "env",
        "KAFKA_CLIENT_RACK": "no", "MUONSCOPE_OTHER": "no", "PATH": "no",
    }  # fmt: skip
    made = KafkaSettings.of("client.id = file\nlinger.ms = 5", environment)
    assert made.values == {"client.id": "env", "linger.ms": "5", "sasl.password": SECRET}
    assert str(made) == "client.id=env, linger.ms=5, sasl.password=***"


@pytest.mark.parametrize("name", OURS)
def test_what_muonscope_sets_itself_is_refused_from_anywhere(name: str) -> None:
    variable = "MUONSCOPE_KAFKA_" + name.upper().replace(".", "_")
    for text, environment in ((f"{name} = {SECRET}", {}), ("", {variable: SECRET})):
        with pytest.raises(OptionError, match=f"^kafka setting {name}: ") as caught:
            KafkaSettings.of(text, environment)
        assert "hunter2" not in str(caught.value)
    with pytest.raises(OptionError, match=name):
        KafkaSettings({name: "x"})


def test_a_client_has_the_settings_and_what_is_ours() -> None:
    made = KafkaSettings({"client.id": "a", "linger.ms": "7"})

    def note() -> None:
        """Take an error."""

    found = made.with_ours(group_id="g", enable_auto_commit=False, error_cb=note)
    assert found == {
        "client.id": "a", "linger.ms": "7", "group.id": "g", "enable.auto.commit": False,
        "error_cb": note,
    }  # fmt: skip
    assert made.values == {"client.id": "a", "linger.ms": "7"}


@pytest.mark.parametrize(
    ("mechanism", "module"),
    [("PLAIN", "plain.Plain"), ("SCRAM-SHA-256", "scram.Scram"), ("SCRAM-SHA-512", "scram.Scram")],
)
@pytest.mark.parametrize("name", ["sasl.mechanism", "sasl.mechanisms"])
def test_a_login_has_its_form_in_java(name: str, mechanism: str, module: str) -> None:
    made = KafkaSettings(
        {"security.protocol": "SASL_SSL", name: mechanism, "sasl.username": 'u"v',
         "sasl.password": 'a\\b"c'}
    )  # fmt: skip
    assert made.for_java() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": mechanism,
        "sasl.jaas.config": f"org.apache.kafka.common.security.{module}LoginModule required"
        ' username="u\\"v" password="a\\\\b\\"c";',
    }


@given(user=st.text(min_size=1, max_size=12), password=st.text(max_size=12))
def test_no_login_breaks_out_of_its_quotes_in_java(user: str, password: str) -> None:
    made = KafkaSettings({"sasl.username": user, "sasl.password": password})
    rest = made.for_java()["sasl.jaas.config"].partition(" required username=")[2]
    found, at = list[str](), 0
    for after in (" password=", ";"):
        assert rest[at] == '"'
        text, at = "", at + 1
        while rest[at] != '"':
            at += rest[at] == "\\"
            text, at = text + rest[at], at + 1
        assert rest[at + 1 :].startswith(after)
        at += 1 + len(after)
        found.append(text)
    assert at == len(rest)
    assert found == [user, password]


def test_certificates_have_their_form_in_java() -> None:
    made = KafkaSettings({"ssl.ca.location": "/ca.pem", "client.id": "a"})
    assert made.for_java() == {
        "ssl.truststore.location": "/ca.pem", "ssl.truststore.type": "PEM", "client.id": "a"
    }  # fmt: skip
    assert KafkaSettings().for_java() == {}


@pytest.mark.parametrize("values", [{"linger.ms": "5"}, {"ssl.key.location": "/k"}])
def test_what_java_does_not_know_is_refused_by_name(values: Mapping[str, str]) -> None:
    with pytest.raises(OptionError, match=f"^kafka setting {next(iter(values))}: is unknown"):
        KafkaSettings(values).for_java()
