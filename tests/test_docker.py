"""Dockerfile and docker-compose.yml: read here, as there may be no Docker to run them."""

import re
import shlex
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from muonscope import __version__
from muonscope.cli.main import app
from muonscope.intake.opening import detector_for
from muonscope.transports.kafka.url import KafkaUrl

ROOT = Path(__file__).parents[1]


class Strict(yaml.SafeLoader):
    """Refuses a name that is given twice, as compose does."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [name.value for name, _ in node.value]
        assert len(names) == len(set(names)), f"twice: {names}"
        return super().construct_mapping(node, deep)


COMPOSE = yaml.load((ROOT / "docker-compose.yml").read_text("utf-8"), Strict)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
COMMANDS = {name: service["command"] for name, service in SERVICES.items() if "command" in service}

TEXTS = {"command", "depends_on", "ports", "profiles", "volumes"}
KEYS = TEXTS | {"build", "environment", "image", "init", "restart"}
"""What a service may say here: compose refuses names that it does not know."""

NAME = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, name and rest."""
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]


def parsed(args: list[str]) -> dict[str, Any]:
    """Return what the command line makes of ``args``, which it must take."""
    context = app.commands[args[0]].make_context(args[0], list(args[1:]))
    options: dict[str, Any] = context.params
    return options


def compose_examples() -> list[list[str]]:
    """Return the muonscope commands that the comment of the compose file names."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    found = re.findall(r"^# +docker compose run --rm \w+ (.*)$", text, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def test_there_are_a_broker_a_monitor_a_dashboard_and_a_replay() -> None:
    assert set(COMMANDS) == {"process", "dashboard", "replay"}
    assert set(SERVICES) == {"broker", *COMMANDS}
    assert SERVICES["replay"]["profiles"] == ["replay"]
    assert all("profiles" not in SERVICES[name] for name in ("broker", "process", "dashboard"))
    assert SERVICES["process"]["restart"] == "unless-stopped"


@pytest.mark.parametrize("args", [*COMMANDS.values(), *compose_examples()], ids=" ".join)
def test_commands_are_those_that_muonscope_takes(args: list[str]) -> None:
    assert all(isinstance(arg, str) for arg in args)
    options = parsed(args)
    sources = [*options.get("sources", ()), options.get("to", ""), options.get("url", "")]
    for name in filter(None, sources):
        if name.startswith("kafka:"):
            KafkaUrl.parse(name, needs_topic="url" not in options)
        else:
            assert detector_for([name], "").chambers


def test_words_go_where_they_are_read() -> None:
    replay, process = parsed(COMMANDS["replay"]), parsed(COMMANDS["process"])
    assert list(replay["sources"]) == ["sim:legnaro?seconds=inf"]
    assert [replay["to"]] == list(process["sources"])
    assert KafkaUrl.parse(replay["to"]).topic == "topic_stream"
    assert KafkaUrl.parse(process["to"]).topic == "topic_results"


def test_the_broker_is_where_the_others_look_for_it() -> None:
    broker = SERVICES["broker"]["environment"]
    advertised = dict(a.split("://") for a in broker["KAFKA_ADVERTISED_LISTENERS"].split(","))
    listeners = dict(a.split("://") for a in broker["KAFKA_LISTENERS"].split(","))
    protocols = dict(
        a.split(":") for a in broker["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"].split(",")
    )
    assert set(protocols) == set(listeners) == {*advertised, "CONTROLLER"}
    for name, place in advertised.items():
        assert place.endswith(listeners[name])
    for args in COMMANDS.values():
        urls = [KafkaUrl.parse(arg) for arg in args if arg.startswith("kafka:")]
        assert urls
        assert {url.servers for url in urls} == {advertised["INTERNAL"]}
    assert broker["KAFKA_INTER_BROKER_LISTENER_NAME"] == "INTERNAL"
    assert broker["KAFKA_PROCESS_ROLES"] == "broker,controller"
    voter, _, port = broker["KAFKA_CONTROLLER_QUORUM_VOTERS"].rpartition(":")
    assert voter == f"{broker['KAFKA_NODE_ID']}@broker"
    assert listeners["CONTROLLER"] == f":{port}"
    assert all(isinstance(value, str | int) for value in broker.values())


def test_all_images_are_pinned() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    for image in images:
        assert re.fullmatch(r"[a-z0-9/.-]+:\d+\.\d+(\.\d+)?(-slim)?", image), image
    assert SERVICES["broker"]["image"].startswith("apache/kafka:4.1.")
    assert {SERVICES[n]["image"] for n in COMMANDS} == {f"muonscope:{__version__}"}


def test_ports_are_those_of_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    for port in ports:
        assert isinstance(port, str)
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert all("network_mode" not in service for service in SERVICES.values())


def test_volumes_are_declared() -> None:
    mounts = [v for service in SERVICES.values() for v in service.get("volumes", [])]
    assert all(re.fullmatch(rf"{NAME}:/[^:]+", mount) for mount in mounts)
    assert {mount.split(":")[0] for mount in mounts} == set(COMPOSE["volumes"])
    assert all(options is None for options in COMPOSE["volumes"].values())


def test_the_volumes_are_where_the_images_write() -> None:
    (kafka,), (kernels,) = SERVICES["broker"]["volumes"], SERVICES["process"]["volumes"]
    assert kafka.split(":")[1] == SERVICES["broker"]["environment"]["KAFKA_LOG_DIRS"]
    assert SERVICES["replay"]["volumes"] == [kernels]
    environment = " ".join(rest for name, rest in instructions() if name == "ENV")
    assert f"NUMBA_CACHE_DIR={kernels.split(':')[1]}/" in environment


def test_services_say_only_what_compose_knows_and_in_its_types() -> None:
    assert set(COMPOSE) == {"services", "volumes"}
    for name, service in SERVICES.items():
        assert re.fullmatch(NAME, name)
        assert set(service) <= KEYS
        for key in TEXTS & set(service):
            assert isinstance(service[key], list), (name, key)
            assert all(isinstance(text, str) and text for text in service[key]), (name, key)
            assert len(service[key]) == len(set(service[key])) or key == "command", (name, key)
        assert isinstance(service["image"], str)
        assert service.get("restart", "no") in {"no", "always", "on-failure", "unless-stopped"}
        assert isinstance(service.get("init", False), bool)


def test_no_text_holds_what_compose_would_replace() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    assert "$" not in text


def test_services_wait_for_those_that_there_are_and_not_in_a_circle() -> None:
    waits = {name: service.get("depends_on", []) for name, service in SERVICES.items()}
    assert waits == {
        "broker": [],
        "process": ["broker"],
        "dashboard": ["broker"],
        "replay": ["broker"],
    }


def test_images_are_built_from_the_dockerfile_here() -> None:
    built = {name for name, service in SERVICES.items() if "build" in service}
    assert built == set(COMMANDS)
    for name in built:
        assert (ROOT / SERVICES[name]["build"] / "Dockerfile").is_file()


def test_the_image_runs_muonscope_and_not_as_root() -> None:
    names = [name for name, _ in instructions()]
    last = dict(instructions())
    assert last["ENTRYPOINT"] == '["muonscope"]'
    assert last["USER"] not in {"", "root", "0"}
    assert "HEALTHCHECK" not in names
    assert all(
        rest.startswith("python:3.12-slim") for name, rest in instructions() if name == "FROM"
    )
    after_user = names[names.index("USER") :]
    assert after_user.count("USER") == 1


def test_what_is_copied_is_there_and_let_through() -> None:
    let_through = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    ]
    copies = [rest.split() for name, rest in instructions() if name == "COPY"]
    sources = [s for words in copies if not words[0].startswith("--") for s in words[:-1]]
    assert {"pyproject.toml", "requirements.lock", "src"} <= {
        source.removeprefix("./") for source in sources
    }
    for source in sources:
        assert (ROOT / source).exists()
        assert any(fnmatch(source, pattern) for pattern in let_through)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= set(sources)


def test_the_image_holds_what_is_pinned_for_use() -> None:
    commands = [rest for name, rest in instructions() if name == "RUN"]
    pinned, package = (text for text in commands if "/bin/pip install" in text)
    assert "--require-hashes -r requirements.lock" in pinned
    assert "--no-build-isolation" in package, "the lock has what builds the package"
    assert "--constraint pinned.txt" in package, "what an extra brings"
    moved = [rest.split() for name, rest in instructions() if name == "COPY" and "--from" in rest]
    ((_, made, there),) = moved
    assert f"python -m venv {made} " in pinned, "an environment must stay where it was made"
    assert made == there
    assert ("ENV", f"PATH={there}/bin:$PATH") in instructions()


def test_the_extras_that_the_image_knows_exist() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    extras = set(re.findall(r"EXTRAS=(\w+)", text)) | set(re.findall(r"\*,(\w+),\*", text))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert extras == {"spark"}
    assert extras <= set(project["optional-dependencies"])
