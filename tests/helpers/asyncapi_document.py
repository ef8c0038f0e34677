"""The AsyncAPI document as tests use it: references followed, values checked against it."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
import orjson
import yaml

__all__ = ["document", "layout_of", "message", "references", "resolve", "validate_headers",
           "validate_key", "validate_payload"]  # fmt: skip

FOLDER = resources.files("muonscope.results") / "schema"


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text("utf-8"))
    return loaded


def references(node: Any) -> Iterator[str]:
    """Yield every ``$ref`` in ``node``."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolve(reference: str) -> dict[str, Any]:
    """Return what a reference names: in the document, or a file beside it."""
    if reference.startswith("#/"):
        node: Any = document()
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert isinstance(node, dict)
        return node
    name = reference.removeprefix("./")
    assert "/" not in name
    loaded: dict[str, Any] = orjson.loads((FOLDER / name).read_bytes())
    return loaded


def message(name: str) -> dict[str, Any]:
    """Return the message ``name``."""
    return resolve(f"#/components/messages/{name}")


def layout_of(schema: str) -> list[dict[str, Any]]:
    """Return the fields of a binary schema."""
    fields: list[dict[str, Any]] = resolve(f"#/components/schemas/{schema}")["x-layout"]["fields"]
    return fields


def _whole(schema: Any) -> Any:
    """Return a schema of the document with all references followed."""
    if isinstance(schema, dict):
        if "$ref" in schema and schema["$ref"].startswith("#/components"):
            others = {name: value for name, value in schema.items() if name != "$ref"}
            return _whole(resolve(schema["$ref"])) | others
        return {name: _whole(value) for name, value in schema.items()}
    return [_whole(item) for item in schema] if isinstance(schema, list) else schema


def _validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    """Return a validator of a schema, which is checked itself."""
    if "schemaFormat" in schema:
        assert schema["schemaFormat"] == "application/schema+json;version=2020-12"
        schema = resolve(schema["schema"]["$ref"])
    whole = _whole(schema)
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


@cache
def _validator_of_payload(name: str) -> jsonschema.Draft202012Validator:
    return _validator(message(name)["payload"])


def validate_payload(name: str, value: bytes | Any) -> None:
    """Check a value of the message ``name``: as it is sent, or as an example writes it."""
    described = message(name)
    if isinstance(value, bytes):
        is_json = described["contentType"] == "application/json"
        value = orjson.loads(value) if is_json else value.hex()
    _validator_of_payload(name).validate(value)


def validate_headers(name: str, headers: dict[str, bytes]) -> None:
    """Check the record headers of the message ``name``; binary ones are those of base16."""
    schema = _whole(message(name).get("headers", {"type": "object", "maxProperties": 0}))
    text = {
        header: value.hex()
        if "contentEncoding" in schema.get("properties", {}).get(header, {})
        else value.decode()
        for header, value in headers.items()
    }
    _validator(schema).validate(text)


def validate_key(name: str, key: bytes | None) -> None:
    """Check the key of the message ``name``; one that is not described must be missing."""
    schema = message(name).get("bindings", {}).get("kafka", {}).get("key")
    if schema is None:
        assert key is None
        return
    assert key is not None
    text = key.hex() if "contentEncoding" in schema else key.decode()
    _validator(schema).validate(text)
