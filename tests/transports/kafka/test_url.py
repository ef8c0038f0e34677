"""Kafka URLs: what they name, and what is refused without showing a password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muonscope.errors import OptionError
from muonscope.transports.kafka.url import KafkaUrl, is_kafka_url


def test_a_url_names_servers_topic_group_and_start() -> None:
    url = KafkaUrl.parse("kafka://a:1,b.c-d:65535,[::1]:9/my.topic_1-x?start=latest&group=g%20h")
    assert url == KafkaUrl(
        servers="a:1,b.c-d:65535,[::1]:9", topic="my.topic_1-x", group="g h", start="latest"
    )
    assert str(url) == "kafka://a:1,b.c-d:65535,[::1]:9/my.topic_1-x"
    assert KafkaUrl.parse(str(url)) == KafkaUrl(servers=url.servers, topic=url.topic)


@pytest.mark.parametrize(
    ("servers", "whole"),
    [
        ("localhost", "localhost:9092"),
        ("a,b:7,c", "a:9092,b:7,c:9092"),
        ("[fe80::1]", "[fe80::1]:9092"),
        ("10.0.0.1:19092", "10.0.0.1:19092"),
    ],
)
def test_every_server_has_a_port(servers: str, whole: str) -> None:
    assert KafkaUrl.parse(f"kafka://{servers}/t").servers == whole


@pytest.mark.parametrize("text", ["kafka://h", "kafka://h/"])
def test_brokers_alone_need_no_topic_where_none_is_asked_for(text: str) -> None:
    assert KafkaUrl.parse(text, needs_topic=False).topic == ""
    with pytest.raises(OptionError, match="found topic ''"):
        KafkaUrl.parse(text)
    with pytest.raises(OptionError, match=r"found topic 'a b'"):
        KafkaUrl.parse("kafka://h/a b", needs_topic=False)


@pytest.mark.parametrize(
    "servers",
    [
        "",
        ",",
        "a,",
        ",a",
        "a:",
        "a:x",
        "a:123456",
        "a b",
        "a:1:2",
        "::1",
        "[::1",
        "a;b",
        "a,,b",
        "ü",
    ],
)
def test_what_is_no_server_is_refused(servers: str) -> None:
    with pytest.raises(OptionError, match=r"^kafka URL: found servers .*expected host:port"):
        KafkaUrl.parse(f"kafka://{servers}/t")


@pytest.mark.parametrize("servers", ["a:65536", "a:99999", "a:0", "a:1,b:00000", "[::1]:65536,a"])
def test_a_port_that_no_machine_has_is_refused(servers: str) -> None:
    with pytest.raises(OptionError, match=r"^kafka URL: found port \d+, expected 1 \.\. 65535$"):
        KafkaUrl.parse(f"kafka://{servers}/t")


@pytest.mark.parametrize(
    "topic", [".", "..", "a/b", "a b", "a#b", "a%20b", "ü", "t" * 250, "t\n", "/"]
)
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(OptionError, match=r"^kafka URL: found topic "):
        KafkaUrl.parse(f"kafka://h/{topic}")
    assert KafkaUrl.parse("kafka://h/" + "t" * 249).topic == "t" * 249


@pytest.mark.parametrize(
    "query",
    ["group=", "start=", "group", "start=now", "start=Latest", "group=a&group=b", "offset=3",
     "Group=a", "start=latest&start=latest"],
)  # fmt: skip
def test_options_that_are_none_are_refused(query: str) -> None:
    with pytest.raises(OptionError, match=r"^kafka URL: found .*expected .*earliest\|latest"):
        KafkaUrl.parse(f"kafka://h/t?{query}")


@pytest.mark.parametrize(
    "text", ["", "t", "http://h/t", "Kafka://h/t", " kafka://h/t", "kafka:/h/t"]
)
def test_other_text_is_no_kafka_url(text: str) -> None:
    assert not is_kafka_url(text)
    with pytest.raises(OptionError, match="expected kafka://"):
        KafkaUrl.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "kafka://user:hunter2@host:9092/topic",
        "kafka://hunter2@host/topic",
        "kafka://user:hun/ter2@host/topic",
        "kafka://user:hunter2@host",
        "kafka://host,user:hunter2@host/topic",
        "kafka://host/topic?sasl.password=hunter2",
        "kafka://host/topic?password=hunter2&group=a",
    ],
)
def test_a_password_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        KafkaUrl.parse(text)
    assert "hun" not in str(caught.value)
    assert "ter2" not in str(caught.value)


@given(rest=st.text(max_size=30) | st.from_regex(r"[a-z:/?@,&=.%]{0,30}", fullmatch=True))
def test_any_text_is_a_url_or_an_option_error(rest: str) -> None:
    try:
        url = KafkaUrl.parse("kafka://" + rest)
    except OptionError:
        return
    assert KafkaUrl.parse(str(url)).topic == url.topic
    assert all(":" in server for server in url.servers.split(","))
    assert url.start in {"earliest", "latest", "committed"}
