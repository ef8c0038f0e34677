"""Receivers: how they are named, and that nothing shows their secrets."""

from pathlib import Path

import pytest

from muonscope.alarms.receivers import Receiver, receiver_of
from muonscope.errors import OptionError


def named(text: str, folder: Path = Path(), **environ: str) -> Receiver:
    return receiver_of(text, "here", folder=folder, environ=environ)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("alertmanager:http://me:pw@h:9093/x?token=t", "alertmanager:http://***@h:9093/x?***"),
        ("alertmanager:http://[::1]:9093", "alertmanager:http://[::1]:9093"),
        ("exec:/opt/call", "exec:/opt/call"),
        ("apprise:tgram://123456:ABC/42", "apprise:tgram://***"),
        ("apprise:mailto://me:pw@example.org?to=x@y.z", "apprise:mailto://***"),
        ("ping:https://hc.example/0815-uuid", "ping:https://hc.example/***"),
    ],
)
def test_a_receiver_is_shown_without_its_secrets(text: str, name: str) -> None:
    found = named(text)
    assert found.name == name
    assert found.address == text.partition(":")[2]
    assert "address" not in repr(found)


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("\n mailto://me:pw@example.org \n", "utf-8")
    assert named("apprise-file:url", tmp_path).address == "mailto://me:pw@example.org"
    assert named("apprise:${URL}", URL="json://host").address == "json://host"
    assert named("apprise:mailto://me:${PW}@h", PW="s3").address == "mailto://me:s3@h"
    with pytest.raises(OptionError, match="here: the environment has no variable PW"):
        named("apprise:mailto://me:${PW}@h")


@pytest.mark.parametrize("text", ["", "one://a\ntwo://b", "x" * 5000])
def test_a_file_of_a_receiver_has_one_url(text: str, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(text, "utf-8")
    with pytest.raises(OptionError, match="expected one with the URL"):
        named("apprise-file:url", tmp_path)
    with pytest.raises(OptionError, match="cannot be read"):
        named("apprise-file:other", tmp_path)


def test_a_receiver_keeps_its_id_when_its_secret_changes() -> None:
    text = "apprise:mailto://me:${PW}@h"
    assert named(text, PW="old").id == named(text, PW="new").id != named("exec:/bin/true").id


def test_what_others_say_is_cleared_of_secrets() -> None:
    found = named("apprise:tgram://123456:ABCdef/chat77?silent=geheim")
    said = "POST https://api.telegram.org/bot123456:abcDEF/chat77?silent=geheim refused"
    clear = found.scrubbed(said)
    assert "refused" in clear
    assert not any(secret in clear.lower() for secret in ("abcdef", "123456", "chat77", "geheim"))
    quoted = named("alertmanager:http://me:p%40ss%2Fword@h")
    assert "p@ss/word" not in quoted.scrubbed("login me p@ss/word failed")


@pytest.mark.parametrize("text", ["exec:call", "exec:./call", "exec:/a\0b", "exec:", "exec"])
def test_a_program_has_an_absolute_path(text: str) -> None:
    with pytest.raises(OptionError, match="expected"):
        named(text)
