"""One line for people about each reject."""

from muonscope.words.rejects import Reject, RejectCode


def test_a_reject_names_place_code_and_bytes() -> None:
    reject = Reject(code=RejectCode.TRUNCATED, offset=16, length=2, evidence=b"\x00a")
    assert str(reject) == r"byte 16: truncated: '\x00a'"


def test_the_reason_follows_where_there_is_one() -> None:
    reject = Reject(
        code=RejectCode.UNKNOWN_FORMAT, offset=0, length=2, evidence=b"PK", where="a.zip",
        reason="a zip archive: unpack it",
    )  # fmt: skip
    assert str(reject) == "a.zip: byte 0: unknown format: 'PK': a zip archive: unpack it"
