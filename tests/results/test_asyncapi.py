"""The AsyncAPI document: whole, and true of the messages that muonscope makes."""

import struct
from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest

from helpers.asyncapi_document import (
    document,
    layout_of,
    message,
    references,
    resolve,
    validate_headers,
    validate_payload,
)
from helpers.simulated import BRIGHT, simulated_words
from muonscope.api import summarise
from muonscope.counting.summary import Summary
from muonscope.detector import shipped_detector
from muonscope.results.message import (
    ByteAccounting,
    message_schema,
    reject_schema,
    remainder_message,
    window_messages,
)
from muonscope.stream import numbering
from muonscope.stream.messages import Messages, decode_messages
from muonscope.stream.numbering import Number, split_by_orbits
from muonscope.transports.kafka.ledger import REJECT_SCHEMA, reject_message
from muonscope.transports.kafka.opening import RESULT_PARTITIONS, STREAM_PARTITIONS
from muonscope.words import binary
from muonscope.words.binary import BLOCK_MAGIC, BlockDecoder, BlockEncoder, block_time_ns
from muonscope.words.layout import COLUMNS, pack_hits
from muonscope.words.rejects import RejectCode
from muonscope.words.text_encode import TextEncoder

LEGNARO = shipped_detector("legnaro")
WORDS = simulated_words(3000, profile=BRIGHT)
TYPES = {"8 bytes": "8s", "u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i64": "q"}
EXAMPLES = [
    pytest.param(name, example, id=f"{name}: {example['name']}")
    for name, described in document()["components"]["messages"].items()
    for example in described.get("examples", [])
]


def test_it_is_asyncapi_3() -> None:
    whole = document()
    assert whole["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(whole["info"])
    assert {"servers", "channels", "operations", "components"} <= set(whole)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(document()))
    assert {"./window-2.json", "./reject-1.json"} <= found
    assert all(resolve(reference) for reference in found)


def test_the_channels_are_the_topics() -> None:
    channels = {channel["address"]: channel for channel in document()["channels"].values()}
    assert set(channels) == {"topic_stream", "topic_results", "topic_rejects", "topic_state"}
    for address, channel in channels.items():
        assert channel["bindings"]["kafka"]["topic"] == address
        assert all(set(resolve(r["$ref"])) for r in channel["messages"].values())
    kafka = {name: channel["bindings"]["kafka"] for name, channel in channels.items()}
    assert kafka["topic_stream"]["partitions"] == STREAM_PARTITIONS
    assert kafka["topic_results"]["partitions"] == RESULT_PARTITIONS


def test_every_operation_is_of_a_channel_and_every_channel_has_one() -> None:
    operations = document()["operations"].values()
    assert all(operation["action"] in {"send", "receive"} for operation in operations)
    assert {operation["channel"]["$ref"] for operation in operations} == {
        f"#/channels/{name}" for name in document()["channels"]
    }


@pytest.mark.parametrize("name", ["block", "hit", "window", "reject"])
def test_there_are_examples_of_each_message(name: str) -> None:
    assert message(name)["examples"]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_examples_are_valid(name: str, example: dict[str, Any]) -> None:
    validate_payload(name, example["payload"])
    headers = example.get("headers", {})
    validate_headers(name, {header: bytes.fromhex(value) for header, value in headers.items()})
    assert all(Number.unpack(bytes.fromhex(value)) for value in headers.values())


def test_the_block_of_the_example_holds_two_words() -> None:
    block = bytes.fromhex(message("block")["examples"][0]["payload"])
    decoder = BlockDecoder(LEGNARO.readout)
    decoded = decoder.feed(block)
    assert len(decoded.words) == 2
    assert not decoded.rejects
    assert not decoder.finish().rejects


def test_the_reject_of_the_example_is_what_its_bytes_give() -> None:
    (example,) = message("reject")["examples"]
    value = b'{"HEAD": "2", "FPGA": "0"}'
    (part,) = decode_messages(
        Messages(partition=3, offsets=[1041], values=[value], headers=[None], times_ms=[0]),
        LEGNARO.readout,
    )
    made = orjson.loads(reject_message("topic_stream", part.rejects[0], part.poison[0]))
    assert made == example["payload"]


@pytest.mark.parametrize(
    ("schema", "format_of"), [("block", binary._HEADER), ("number", numbering._FIXED)]
)
def test_layouts_are_those_of_the_code(schema: str, format_of: struct.Struct) -> None:
    fields = layout_of(schema)
    assert "<" + "".join(TYPES[field["type"]] for field in fields) == format_of.format
    at = 0
    for field in fields:
        assert field["at"] == at
        at += struct.calcsize("<" + TYPES[field["type"]])
    assert at == format_of.size


def test_layouts_name_what_stands_there() -> None:
    value = BlockEncoder(LEGNARO.readout, "legnaro").encode(WORDS[:5], 12_345)
    names = [field["name"] for field in layout_of("block")]
    fields = dict(zip(names, binary._HEADER.unpack_from(value), strict=True))
    assert fields["magic"] == BLOCK_MAGIC
    assert (fields["version"], fields["name_bytes"], fields["words"]) == (2, 7, 5)
    assert fields["time_ns"] == block_time_ns(value) == 12_345
    number = Number(7, 0, 4, 1, 2, bytes([1, 0, 1, 0, 3, 0, 1, 0]))
    names = [field["name"] for field in layout_of("number")]
    packed = dict(zip(names, numbering._FIXED.unpack_from(number.pack()), strict=True))
    del packed["check"]
    assert packed == {"stream": 7, "first": 0, "words": 4, "piece": 1, "pieces": 2}


def test_windows_are_valid() -> None:
    lines = list(window_messages(summarise(WORDS, LEGNARO), "r"))
    account = ByteAccounting(bytes_in=3, bytes_rejected=3, rejects={"TRUNCATED": 1})
    lines.append(remainder_message(Summary.empty(LEGNARO), "r", account))
    assert len(lines) > 2
    for line in lines:
        validate_payload("window", line)


def test_hits_and_blocks_are_valid() -> None:
    for line in TextEncoder(LEGNARO.readout, json=True).encode(WORDS[:200]).splitlines():
        validate_payload("hit", line)
    validate_payload("block", BlockEncoder(LEGNARO.readout, "legnaro").encode(WORDS))


def test_half_precision_numbers_in_hits_are_valid() -> None:
    half = int(np.array(-0.25, np.float16).view(np.uint16))
    word = np.array([4 << 61 | 1 << 58 | 617_760 << 24 | half], np.uint64)
    line = TextEncoder(LEGNARO.readout, json=True).encode(word).strip()
    assert orjson.loads(line)["TDC_MEAS"] == "-0.250000"
    validate_payload("hit", line)


def test_numbers_of_chunks_are_valid() -> None:
    orbits = np.array([1, 80_000, 2, 80_001])
    pieces = split_by_orbits(pack_hits(2, 0, 3, orbits, 10, 3), orbits, 5, 0)
    assert len(pieces) == 2
    for piece in pieces:
        validate_headers("block", {"muonscope.number": piece.number.pack()})


@pytest.mark.parametrize(
    "value",
    [b"", b"\x00\xff", b"{}", b'{"HEAD":-1}', BLOCK_MAGIC, BLOCK_MAGIC + bytes(24), b"x" * 600_000],
)
def test_rejects_are_valid(value: bytes) -> None:
    (part,) = decode_messages(
        Messages(partition=0, offsets=[7], values=[value], headers=[None], times_ms=[0]),
        LEGNARO.readout,
    )
    assert part.rejects
    for reject in part.rejects:
        validate_payload("reject", reject_message("topic_stream", reject, value))


def test_the_schema_of_rejects_knows_all_codes_and_its_name() -> None:
    properties = reject_schema()["properties"]
    assert properties["code"]["enum"] == [code.name for code in RejectCode]
    assert properties["schema"]["const"] == REJECT_SCHEMA
    assert set(reject_schema()["required"]) == set(properties)
    assert set(message("hit")["payload"]) == {"$ref"}
    assert resolve("#/components/schemas/hit")["required"] == list(COLUMNS)


@pytest.mark.parametrize("schema", [message_schema(), reject_schema()])
def test_the_schemas_are_schemas(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hit", {"HEAD": 2}),
        ("hit", dict.fromkeys(COLUMNS, 1)),
        ("reject", {"schema": REJECT_SCHEMA}),
        ("window", {"schema": REJECT_SCHEMA}),
        ("block", "00"),
    ],
)
def test_what_is_wrong_is_not_valid(name: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate_payload(name, value)
