"""A corpus of broken, odd and malicious data: what each case must give, to the byte.

Every case names the number of words, and for each reject its code and its position. A
case that is no stream at all (damaged Parquet) names the error instead.
"""

import gzip
import io
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import zstandard
from pyarrow import parquet

from helpers.feeding import HEADER, some_words
from muonscope.detector import shipped_detector
from muonscope.words.binary import BlockEncoder
from muonscope.words.layout import COLUMNS, pack_hits
from muonscope.words.rejects import RejectCode as Code

READOUT = shipped_detector("legnaro").readout
ROW = b"2,0,79,617866,307,27\n"
ROW_WORD = int(pack_hits(2, 0, 79, 617866, 307, 27)[0])
JSON = (
    b'{"HEAD":"2","FPGA":"0","TDC_CHANNEL":"79","ORBIT_CNT":"617866","BX_COUNTER":"307",'
    b'"TDC_MEAS":"27"}\n'
)
H, R, J = len(HEADER), len(ROW), len(JSON)
NO_REJECTS: tuple[tuple[Code, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One piece of hostile data."""

    name: str
    data: bytes
    words: int
    """How many words it must give."""
    rejects: tuple[tuple[Code, int], ...] = NO_REJECTS
    """Code and offset of every reject, in order."""
    error: str = ""
    """What the FormatError says, where the data is no stream."""
    format: str = "csv"
    """What it must be taken for."""
    lengths: tuple[int, ...] | None = field(default=None)
    """Lengths of the rejects, where they matter."""


def _field(name: str, text: str, code: Code | None) -> list[Case]:
    """Return cases with ``text`` in the fourth field of CSV and as a JSON string."""
    row = f"2,0,79,{text},307,27\n".encode()
    rejects = NO_REJECTS if code is None else ((code, H + R),)
    data = HEADER + ROW + row + ROW
    cases = [Case(name=f"csv {name}", data=data, words=2 + (code is None), rejects=rejects)]
    if '"' not in text:
        shown = text.replace("\t", "\\t").encode()
        item = JSON.replace(b"617866", shown)
        rejects = NO_REJECTS if code is None else ((code, J),)
        cases.append(
            Case(
                name=f"json {name}",
                data=JSON + item + JSON,
                words=2 + (code is None),
                rejects=rejects,
                format="json",
            )
        )
    return cases


def _row(name: str, row: bytes, code: Code | None) -> Case:
    rejects = NO_REJECTS if code is None else ((code, H + R),)
    data = HEADER + ROW + row + b"\n" + ROW
    return Case(name=f"row {name}", data=data, words=2 + (code is None), rejects=rejects)


def _json(name: str, line: bytes, code: Code | None) -> Case:
    rejects = NO_REJECTS if code is None else ((code, J),)
    return Case(
        name=f"object {name}",
        data=JSON + line + b"\n" + JSON,
        words=2 + (code is None),
        rejects=rejects,
        format="json",
    )


def _json_value(name: str, value: bytes, code: Code | None) -> Case:
    return _json(f"with {name}", JSON.strip().replace(b'"617866"', value), code)


FIELDS = [
    *_field("blank around a number", " 617866\t", None),
    *_field("leading zeros", "0000617866", None),
    *_field("plus sign", "+617866", None),
    *_field("fraction of zeros", "617866.000", None),
    *_field("highest orbit", str(2**32 - 1), None),
    *_field("orbit 2^32", str(2**32), Code.OUT_OF_RANGE),
    *_field("18 digits", "9" * 18, Code.OUT_OF_RANGE),
    *_field("19 digits", "9" * 19, Code.OUT_OF_RANGE),
    *_field("2^64 + 5, which wraps to 5", str(2**64 + 5), Code.OUT_OF_RANGE),
    *_field("1000 digits", "9" * 1000, Code.OUT_OF_RANGE),
    *_field("negative", "-617866", Code.NEGATIVE),
    *_field("fraction", "617866.5", Code.NOT_AN_INTEGER),
    *_field("fraction of 30 zeros", "617866." + "0" * 30, None),
    *_field("fraction far behind the dot", "617866." + "0" * 30 + "1", Code.NOT_AN_INTEGER),
    *_field("letters far behind the dot", "617866." + "0" * 30 + "x", Code.NOT_A_NUMBER),
    *_field("nan", "nan", Code.NOT_A_NUMBER),
    *_field("inf", "inf", Code.NOT_A_NUMBER),
    *_field("hex", "0x10", Code.NOT_A_NUMBER),
    *_field("exponent", "6e5", None),
    *_field("exponent and decimals that make a whole number", "6.17866e+05", None),
    *_field("decimals of numpy.savetxt", "6.178660000000000000e+05", None),
    *_field("exponent and a fraction left", "6.1786605e5", Code.NOT_AN_INTEGER),
    *_field("exponent below one", "617866e-1", Code.NOT_AN_INTEGER),
    *_field("exponent that takes zeros away", "6178660000E-4", None),
    *_field("exponent of a thousand", "1e1000", Code.OUT_OF_RANGE),
    *_field("exponent of a thousand and zero", "0e1000", None),
    *_field("exponent of minus a thousand", "1e-1000", Code.NOT_AN_INTEGER),
    *_field("exponent of a thousand digits", "1e" + "9" * 1000, Code.OUT_OF_RANGE),
    *_field(
        "20 digits after a zero and an exponent", "0.00000000617866000001e14", Code.NOT_AN_INTEGER
    ),
    *_field(
        "a one in the 22nd digit and an exponent", "6.178660000000000000001e5", Code.NOT_AN_INTEGER
    ),
    *_field("exponent without digits", "6e", Code.NOT_A_NUMBER),
    *_field("exponent with only a sign", "6e+", Code.NOT_A_NUMBER),
    *_field("exponent with a fraction", "6e5.0", Code.NOT_A_NUMBER),
    *_field("only an exponent", "e5", Code.NOT_A_NUMBER),
    *_field("two exponents", "6e5e1", Code.NOT_A_NUMBER),
    *_field("underscore", "617_866", Code.NOT_A_NUMBER),
    *_field("arabic digits", "\u0661\u0662\u0663", Code.NOT_A_NUMBER),
    *_field("full-width digits", "\uff11\uff12", Code.NOT_A_NUMBER),
    *_field("letters", "orbit", Code.NOT_A_NUMBER),
    *_field("nothing", "", Code.NOT_A_NUMBER),
    *_field("only a sign", "-", Code.NOT_A_NUMBER),
    *_field("only a dot", ".", Code.NOT_A_NUMBER),
    *_field("two dots", "1.2.3", Code.NOT_A_NUMBER),
    *_field("two signs", "--1", Code.NOT_A_NUMBER),
    *_field("blank inside", "617 866", Code.NOT_A_NUMBER),
    *_field("quotes", '"617866"', None),
]

ROWS = [
    _row("with a NUL", b"2,0,79,617\x00866,307,27", Code.NOT_A_NUMBER),
    _row("with five columns", b"2,0,79,617866,307", Code.BAD_COLUMN_COUNT),
    _row("with seven columns", b"2,0,79,617866,307,27,1", Code.BAD_COLUMN_COUNT),
    _row("with a comma at its end", b"2,0,79,617866,307,27,", Code.BAD_COLUMN_COUNT),
    _row("with semicolons", b"2;0;79;617866;307;27", Code.BAD_COLUMN_COUNT),
    _row("of bytes above 127", b"\xff\xfe\xfd", Code.BAD_COLUMN_COUNT),
    Case(name="row of the header again", data=HEADER + ROW + HEADER + ROW, words=2),
    _row("with a BX beyond the orbit", b"2,0,79,617866,3564,27", None),
    _row("with the highest BX", b"2,0,79,617866,4095,27", None),
    _row("with a BX that does not fit", b"2,0,79,617866,4096,27", Code.OUT_OF_RANGE),
    _row("with TDC 0", b"2,0,79,617866,307,0", None),
    _row("with TDC 32", b"2,0,79,617866,307,32", Code.OUT_OF_RANGE),
    _row("with FPGA 8", b"2,8,79,617866,307,27", Code.OUT_OF_RANGE),
    _row("with channel 511", b"2,0,511,617866,307,27", None),
    _row("with channel 512", b"2,0,512,617866,307,27", Code.OUT_OF_RANGE),
    _row("with HEAD 6", b"6,0,79,617866,307,27", None),
    _row("with HEAD 7", b"7,0,79,617866,307,27", None),
    _row("with HEAD 8", b"8,0,79,617866,307,27", Code.OUT_OF_RANGE),
    _row("with HEAD -1", b"-1,0,79,617866,307,27", Code.NEGATIVE),
    _row("with HEAD 2^61", b"%d,0,79,617866,307,27" % 2**61, Code.OUT_OF_RANGE),
    _row("of HEAD 0", b"0,1,127,617866,4095,31", None),
    _row("of HEAD 0 with channel 128", b"0,1,128,617866,4095,31", Code.OUT_OF_RANGE),
    _row("of HEAD 1", b"1,1,0,617866,0,255", None),
    _row("of HEAD 1 with 256", b"1,1,0,617866,0,256", Code.OUT_OF_RANGE),
    _row("of HEAD 1 with a channel", b"1,1,1,617866,0,255", Code.OUT_OF_RANGE),
    _row("of HEAD 3", b"3,1,0,617866,16777215,0", None),
    _row("of HEAD 3 with too big a mask", b"3,1,0,617866,16777216,0", Code.OUT_OF_RANGE),
    _row("of HEAD 3 with a TDC", b"3,1,0,617866,5,1", Code.OUT_OF_RANGE),
    _row("of HEAD 4", b"4,1,0,617866,0,-0.573730", None),
    _row("of HEAD 4 with a whole number", b"4,1,0,617866,0,2", None),
    _row("of HEAD 4 with minus zero", b"4,1,0,617866,0,-0.000000", None),
    _row("of HEAD 5 with the highest number", b"5,1,0,617866,0,65504.000000", None),
    _row("of HEAD 5 with the lowest number", b"5,1,0,617866,0,-65504.000000", None),
    _row("of HEAD 5 beyond half precision", b"5,1,0,617866,0,65520", Code.OUT_OF_RANGE),
    _row("of HEAD 5 below half precision", b"5,1,0,617866,0,-65520.0", Code.OUT_OF_RANGE),
    _row("of HEAD 5 with nan", b"5,1,0,617866,0,nan", Code.NOT_A_NUMBER),
    _row("of HEAD 5 with inf", b"5,1,0,617866,0,inf", Code.NOT_A_NUMBER),
    _row("of HEAD 4 with a fraction in the orbit", b"4,1,0,1.5,0,0.5", Code.NOT_AN_INTEGER),
    _row("of HEAD 4 with a BX", b"4,1,0,617866,3,0.5", Code.OUT_OF_RANGE),
    _row("of a hit with a fraction", b"2,0,79,617866,307,27.5", Code.NOT_AN_INTEGER),
]

LONG = b"7" * 100_000
TEXT = [
    Case(name="nothing", data=b"", words=0, format="empty"),
    Case(name="only blanks", data=b" \r\n\n\t\n", words=0, format="empty"),
    Case(name="100,000 blank lines", data=b"\n" * 100_000, words=0, format="empty"),
    Case(name="only a header", data=HEADER, words=0),
    Case(name="only a header without a newline", data=HEADER.strip(), words=0),
    Case(name="no header", data=ROW * 2, words=2),
    Case(name="one row without a newline", data=ROW.strip(), words=1),
    Case(
        name="last row cut after a comma",
        data=HEADER + ROW + b"2,0,79,",
        words=1,
        rejects=((Code.TRUNCATED, H + R),),
        lengths=(7,),
    ),
    Case(
        name="last row cut in the orbit",
        data=HEADER + ROW + b"2,0,79,6178",
        words=1,
        rejects=((Code.TRUNCATED, H + R),),
        lengths=(11,),
    ),
    Case(name="last number cut, which nobody can see", data=HEADER + ROW + ROW[:-2], words=2),
    Case(name="no newline at the end", data=HEADER + ROW + ROW.strip(), words=2),
    Case(name="CRLF", data=(HEADER + ROW * 3).replace(b"\n", b"\r\n"), words=3),
    Case(
        name="CRLF and a cut",
        data=(HEADER + ROW).replace(b"\n", b"\r\n") + ROW[:-1] + b"\r",
        words=2,
    ),
    Case(name="blank lines", data=HEADER + b"\n\r\n \t \n" + ROW + b"\n" + ROW + b"\n\n", words=2),
    Case(name="blank lines before the header", data=b"\n \r\n\n" + HEADER + ROW, words=1),
    Case(name="BOM", data=b"\xef\xbb\xbf" + HEADER + ROW, words=1),
    Case(name="BOM and no header", data=b"\xef\xbb\xbf" + ROW * 2, words=2),
    Case(name="only a BOM", data=b"\xef\xbb\xbf", words=0, format="empty"),
    Case(
        name="BOM in the middle",
        data=ROW + b"\xef\xbb\xbf" + ROW + ROW,
        words=2,
        rejects=((Code.NOT_A_NUMBER, R),),
    ),
    Case(
        name="first row cut at its beginning",
        data=b"66,307,27\n" + ROW * 3,
        words=3,
        rejects=((Code.BAD_COLUMN_COUNT, 0),),
    ),
    Case(
        name="a banner before the rows",
        data=b"run 591\n" + ROW * 3,
        words=3,
        rejects=((Code.BAD_COLUMN_COUNT, 0),),
    ),
    Case(
        name="columns in another order",
        data=b"TDC_MEAS,ORBIT_CNT,HEAD,FPGA,BX_COUNTER,TDC_CHANNEL\n27,617866,2,0,307,79\n",
        words=1,
    ),
    Case(
        name="columns in another order after blank lines, quoted, CRLF",
        data=b'\r\n"TDC_MEAS","ORBIT_CNT","HEAD","FPGA","BX_COUNTER","TDC_CHANNEL"\r\n'
        b'"27","617866","2","0","307","79"\r\n',
        words=1,
    ),
    Case(
        name="wrong names",
        data=b"HEAD,FPGA,CHANNEL,ORBIT,BX,TDC\n" + ROW * 2,
        words=0,
        rejects=((Code.BAD_HEADER, 0), (Code.BAD_HEADER, 31)),
        lengths=(31, 2 * R),
    ),
    Case(
        name="one name twice",
        data=HEADER.replace(b"FPGA", b"HEAD") + ROW * 2,
        words=0,
        rejects=((Code.BAD_HEADER, 0), (Code.BAD_HEADER, H)),
    ),
    Case(
        name="seven names before rows of six",
        data=HEADER.strip() + b",EXTRA\n" + ROW * 2,
        words=0,
        rejects=((Code.BAD_COLUMN_COUNT, H + 6), (Code.BAD_COLUMN_COUNT, H + 6 + R)),
    ),
    Case(
        name="wrong names before 10,000 rows",
        data=b"HEAD,FPGA,CHANNEL,ORBIT,BX,TDC\n" + ROW * 10_000,
        words=0,
        rejects=((Code.BAD_HEADER, 0), *((Code.BAD_HEADER, 31 + 65536 * i) for i in range(4))),
    ),
    Case(
        name="another header in the middle",
        data=HEADER + ROW + b"FPGA,HEAD,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS\n" + ROW,
        words=2,
        rejects=((Code.NOT_A_NUMBER, H + R),),
    ),
    Case(
        name="a header before rows of old Macs",
        data=(HEADER + ROW).replace(b"\n", b"\r"),
        words=0,
        rejects=((Code.BAD_HEADER, 0),),
    ),
    Case(
        name="HTML",
        data=b"<!DOCTYPE html>\n<html><body>Log in, please</body></html>\n",
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(
        name="prose",
        data=b"Dear all,\nhere are the data, as promised.\n",
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(
        name="UTF-16",
        data=(HEADER + ROW * 3).decode().encode("utf-16-le"),
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(
        name="a line of 100,000 digits",
        data=HEADER + ROW + LONG + b"\n" + ROW,
        words=2,
        rejects=((Code.BAD_COLUMN_COUNT, H + R),),
        lengths=(100_001,),
    ),
    Case(
        name="a row padded to 100,000 bytes",
        data=HEADER + ROW[:-1] + b" " * 100_000 + b"\n" + ROW,
        words=1,
        rejects=((Code.BAD_COLUMN_COUNT, H),),
        lengths=(R + 100_000,),
    ),
    Case(
        name="a row padded to just the limit",
        data=HEADER + ROW[:-1] + b" " * (65536 - R + 1) + b"\n" + ROW,
        words=2,
    ),
    Case(
        name="a long line at the end, without a newline",
        data=HEADER + ROW + LONG,
        words=1,
        rejects=((Code.BAD_COLUMN_COUNT, H + R),),
        lengths=(100_000,),
    ),
    Case(
        name="a long line and a header after rows",
        data=ROW * 200 + LONG + b"\n" + HEADER + ROW,
        words=201,
        rejects=((Code.BAD_COLUMN_COUNT, 200 * R), (Code.NOT_A_NUMBER, 200 * R + 100_001)),
    ),
]

OBJECTS = [
    _json("without a field", b'{"HEAD":2,"FPGA":0,"TDC_CHANNEL":79}', Code.BAD_JSON),
    _json("with a field more", JSON.strip()[:-1] + b',"EXTRA":[1,{"a":null}]}', None),
    _json("with another case", JSON.strip().lower(), None),
    _json("with a name in two cases", JSON.strip()[:-1] + b',"head":"2"}', Code.BAD_JSON),
    _json("with another case and a further name", JSON.strip().lower()[:-1] + b',"x":1}', None),
    _json("as an array of six", b"[2,0,79,617866,307,27]", None),
    _json("as an array of six strings", b' [ "2", "0","79","617866","307","27" ] ', None),
    _json("as an array of five", b"[2,0,79,617866,307]", Code.BAD_JSON),
    _json("as an array of seven", b"[2,0,79,617866,307,27,1]", Code.BAD_JSON),
    _json("as an array with floats", b"[2.0,0.0,79.0,6.17866e5,3.07E+2,27.0]", None),
    _json("as an array with null", b"[2,0,79,null,307,27]", Code.NOT_A_NUMBER),
    _json("inside another", b'{"hit":' + JSON.strip() + b"}", Code.BAD_JSON),
    _json("inside an array", b"[" + JSON.strip() + b"]", Code.BAD_JSON),
    _json("of nothing", b"{}", Code.BAD_JSON),
    _json("that is null", b"null", Code.BAD_JSON),
    _json("that is a number", b"617866", Code.BAD_JSON),
    _json("that is a string", b'"HEAD"', Code.BAD_JSON),
    _json("that is a row of text", ROW.strip(), Code.BAD_JSON),
    _json("without its end", JSON.strip()[:-1], Code.BAD_JSON),
    _json("with something after it", JSON.strip() + b" x", Code.BAD_JSON),
    _json("twice on a line", JSON.strip() * 2, Code.BAD_JSON),
    _json("with a comma at its end", JSON.strip()[:-1] + b",}", Code.BAD_JSON),
    _json("with a comment", JSON.strip() + b"// hit", Code.BAD_JSON),
    _json("in single quotes", JSON.strip().replace(b'"', b"'"), Code.BAD_JSON),
    _json("with blanks", JSON.strip().replace(b",", b" ,\t").replace(b":", b" : "), None),
    _json("with CRLF", JSON.strip() + b"\r", None),
    _json("of numbers", JSON.strip().replace(b'"617866"', b"617866"), None),
    _json("with a key twice, of which the last counts", b'{"HEAD":9,' + JSON.strip()[1:], None),
    _json("with an escaped key", JSON.strip().replace(b"HEAD", b"\\u0048EAD"), None),
    _json("with a NUL", JSON.strip().replace(b"HEAD", b"HE\x00D"), Code.BAD_JSON),
    _json("of invalid UTF-8", JSON.strip().replace(b"617866", b"617\xff866"), Code.BAD_JSON),
    _json("with a lone surrogate", JSON.strip().replace(b"617866", b"\\ud800"), Code.BAD_JSON),
    _json("of 10,000 arrays", b'{"HEAD":' + b"[" * 10_000, Code.BAD_JSON),
    _json(
        "of 10,000 closed arrays", b'{"HEAD":' + b"[" * 10_000 + b"]" * 10_000 + b"}", Code.BAD_JSON
    ),
    _json("of 70,000 bytes", JSON.strip() + b" " * 70_000, Code.BAD_JSON),
    _json_value("an escaped digit", b'"\\u0036\\u0031"', None),
    _json_value("an exponent that is whole", b"6.17866e5", None),
    _json_value("an exponent that is not", b"6178661e-1", Code.NOT_AN_INTEGER),
    _json_value("a fraction of zero", b"617866.0", None),
    _json_value("a fraction", b"617866.5", Code.NOT_AN_INTEGER),
    _json_value("a huge exponent", b"1e300", Code.OUT_OF_RANGE),
    _json_value("an exponent beyond float64", b"1e999", Code.OUT_OF_RANGE),
    _json_value("NaN", b"NaN", Code.BAD_JSON),
    _json_value("a huge number", b"4294967296", Code.OUT_OF_RANGE),
    _json_value("2^64 + 5", b"18446744073709551621", Code.OUT_OF_RANGE),
    _json_value("a negative number", b"-1", Code.NEGATIVE),
    _json_value("null", b"null", Code.NOT_A_NUMBER),
    _json_value("a bool", b"true", Code.NOT_A_NUMBER),
    _json_value("an array", b"[617866]", Code.NOT_A_NUMBER),
    _json_value("an array of two", b"[617866,1]", Code.NOT_A_NUMBER),
    _json_value("an object", b'{"a":1}', Code.NOT_A_NUMBER),
    _json_value("an empty string", b'""', Code.NOT_A_NUMBER),
    _json_value("a row in a string", b'"1,2,3"', Code.NOT_A_NUMBER),
    _json_value("a newline in a string", b'"6\\n7"', Code.NOT_A_NUMBER),
    _json_value("a digit of another script", '"\u0661"'.encode(), Code.NOT_A_NUMBER),
    _json(
        "of HEAD 4 with a tiny number",
        b'{"HEAD":4,"FPGA":0,"TDC_CHANNEL":0,"ORBIT_CNT":9,"BX_COUNTER":0,"TDC_MEAS":1e-05}',
        None,
    ),
    Case(name="json with a BOM", data=b"\xef\xbb\xbf" + JSON * 2, words=2, format="json"),
    Case(name="json without a newline", data=JSON * 2 + JSON.strip(), words=3, format="json"),
    Case(
        name="json with blank lines", data=b"\n" + JSON + b"\r\n \n" + JSON, words=2, format="json"
    ),
    Case(
        name="json cut short",
        data=JSON + JSON[:40],
        words=1,
        rejects=((Code.TRUNCATED, J),),
        lengths=(40,),
        format="json",
    ),
    Case(
        name="json with a bad value and no newline",
        data=JSON + JSON.strip().replace(b"617866", b"4294967296"),
        words=1,
        rejects=((Code.OUT_OF_RANGE, J),),
        lengths=(J + 3,),
        format="json",
    ),
]

HITS = some_words(300)
DAT = HITS.tobytes()
RUN = struct.pack("<Q", 1213)
TRANSFERS = b"".join(RUN + HITS[at : at + 128].tobytes() for at in (0, 128, 256))
NOISE = zlib.compress(bytes(range(256)) * 40)[2:66] * 3
BINARY = [
    Case(name="words", data=DAT, words=300, format="dat"),
    Case(
        name="words of which the last is cut",
        data=DAT[:-3],
        words=299,
        rejects=((Code.TRUNCATED, 299 * 8),),
        lengths=(5,),
        format="dat",
    ),
    Case(
        name="words and one byte",
        data=DAT + b"\n",
        words=300,
        rejects=((Code.TRUNCATED, 2400),),
        lengths=(1,),
        format="dat",
    ),
    Case(
        name="words that end in zeros",
        data=DAT + bytes(800),
        words=300,
        rejects=((Code.FILLING, 2400),),
        lengths=(800,),
        format="dat",
    ),
    Case(
        name="words with 0xFF in the middle",
        data=DAT[:1200] + b"\xff" * 4096 + DAT[1200:],
        words=300,
        rejects=((Code.FILLING, 1200),),
        lengths=(4096,),
        format="dat",
    ),
    Case(
        name="words that lost a byte",
        data=DAT[:1203] + DAT[1204:],
        words=299,
        rejects=((Code.MISALIGNED, 1200),),
        lengths=(7,),
        format="dat",
    ),
    Case(
        name="words with text in the middle",
        data=DAT[:1200]
        + b"Segmentation fault (core dumped)\nrestart at 12:05:01 by the shift"
        + DAT[1200:],
        words=300,
        rejects=((Code.MISALIGNED, 1200),),
        lengths=(65,),
        format="dat",
    ),
    Case(
        name="a NumPy array of words",
        data=b"\x93NUMPY\x01\0v\0" + b"{'descr': '<u8'}".ljust(118) + DAT,
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(
        name="zeros",
        data=bytes(5000),
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(name="transfers with headers", data=TRANSFERS, words=300, format="dat129"),
    Case(
        name="transfers cut in a header",
        data=TRANSFERS[: 2 * 1032 + 4],
        words=256,
        rejects=((Code.TRUNCATED, 2 * 1032),),
        format="dat129",
    ),
    Case(
        name="three bytes",
        data=b"\x01\x02\x03",
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(
        name="noise",
        data=NOISE,
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
    Case(
        name="a PNG",
        data=b"\x89PNG\r\n\x1a\n" + NOISE,
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
]

BLOCK = BlockEncoder(READOUT, "legnaro").encode(HITS[:50])
B = len(BLOCK)


def _changed(at: int, new: bytes) -> bytes:
    return BLOCK[:at] + new + BLOCK[at + len(new) :]


BLOCKS = [
    Case(name="blocks", data=BLOCK * 3, words=150, format="block"),
    Case(
        name="a block of no words",
        words=50,
        format="block",
        data=_changed(12, struct.pack("<I", 0))[:24]
        + struct.pack("<II", zlib.crc32(BLOCK[32:40]), 0)
        + BLOCK[32:40]
        + BLOCK,
    ),
    *(
        Case(
            name=f"a block with {name}",
            data=BLOCK + bad + BLOCK * 2,
            words=150,
            rejects=((Code.BAD_BLOCK, B),),
            lengths=(B,),
            format="block",
        )
        for name, bad in {
            "a bad magic": _changed(0, b"MUON?RD1"),
            "another version": _changed(8, b"\x01"),
            "an unknown version": _changed(8, b"\xff"),
            "too long a name": _changed(9, b"\x41"),
            "a shorter name": _changed(9, b"\x00"),
            "one word less": _changed(12, struct.pack("<I", 49)),
            "one word more": _changed(12, struct.pack("<I", 51)),
            "a huge count": _changed(12, b"\xff\xff\xff\xff"),
            "a bad checksum": _changed(24, b"\0\0\0\0"),
            "a flipped bit in a word": _changed(200, bytes([BLOCK[200] ^ 1])),
            "a changed name": _changed(32, b"L"),
        }.items()
    ),
    Case(
        name="garbage between blocks",
        data=BLOCK + b"garbage MUONW garbage" + BLOCK,
        words=100,
        rejects=((Code.BAD_BLOCK, B),),
        lengths=(21,),
        format="block",
    ),
    Case(
        name="200,000 bytes of garbage between blocks",
        data=BLOCK + b"M" * 200_000 + BLOCK,
        words=100,
        rejects=((Code.BAD_BLOCK, B), (Code.BAD_BLOCK, B + 131_072)),
        format="block",
    ),
    Case(
        name="a block cut in its words",
        data=BLOCK + BLOCK[:-1],
        words=50,
        rejects=((Code.TRUNCATED, B),),
        lengths=(B - 1,),
        format="block",
    ),
    Case(
        name="a block cut in its header",
        data=BLOCK + BLOCK[:20],
        words=50,
        rejects=((Code.TRUNCATED, B),),
        lengths=(20,),
        format="block",
    ),
    Case(
        name="a block cut in its magic",
        data=BLOCK + BLOCK[:3],
        words=50,
        rejects=((Code.TRUNCATED, B),),
        format="block",
    ),
    Case(
        name="a block that claims more words than come",
        data=_changed(12, struct.pack("<I", 1 << 19)) + BLOCK,
        words=50,
        rejects=((Code.TRUNCATED, 0),),
        lengths=(B,),
        format="block",
    ),
    Case(
        name="a magic and nothing else",
        data=b"MUONWRD1",
        words=0,
        rejects=((Code.TRUNCATED, 0),),
        format="block",
    ),
]

PLAIN = HEADER + ROW * 5
GZIP, ZSTD = gzip.compress(PLAIN, mtime=0), zstandard.compress(PLAIN)
MANY = HEADER + b"".join(b"2,0,%d,%d,307,27\n" % (i * 7 % 128, 617866 + i) for i in range(9000))
COMPRESSED = [
    Case(name="gzip", data=GZIP, words=5),
    Case(name="zstd", data=ZSTD, words=5),
    Case(name="gzip in two members", data=GZIP + gzip.compress(ROW * 2), words=7),
    Case(name="zstd in two frames", data=ZSTD + zstandard.compress(ROW * 2), words=7),
    Case(name="gzip of nothing", data=gzip.compress(b""), words=0, format="empty"),
    Case(name="zstd of nothing", data=zstandard.compress(b""), words=0, format="empty"),
    Case(name="gzip of words", data=gzip.compress(DAT), words=300, format="dat"),
    Case(name="gzip with zeros after it", data=GZIP + b"\0" * 1000, words=5),
    Case(name="gzip with zeros between members", data=GZIP + b"\0" * 9 + GZIP, words=10),
    *(
        Case(
            name=f"{name} and then garbage",
            data=good + b"garbage",
            words=5,
            rejects=((Code.BAD_COMPRESSION, len(PLAIN)),),
        )
        for name, good in (("gzip", GZIP), ("zstd", ZSTD))
    ),
    Case(
        name="gzip and then plain text",
        data=GZIP + ROW,
        words=5,
        rejects=((Code.BAD_COMPRESSION, len(PLAIN)),),
    ),
    Case(
        name="gzip without its checksum",
        data=GZIP[:-8],
        words=5,
        rejects=((Code.BAD_COMPRESSION, len(PLAIN)),),
    ),
    Case(
        name="gzip cut in its second member",
        data=GZIP + GZIP[:5],
        words=5,
        rejects=((Code.BAD_COMPRESSION, len(PLAIN)),),
    ),
    Case(
        name="gzip cut in its second magic",
        data=GZIP + GZIP[:1],
        words=5,
        rejects=((Code.BAD_COMPRESSION, len(PLAIN)),),
    ),
    Case(
        name="gzip cut in its header",
        data=GZIP[:6],
        words=0,
        rejects=((Code.BAD_COMPRESSION, 0),),
        format="empty",
    ),
    Case(
        name="gzip with another method",
        data=GZIP[:2] + b"\x07" + GZIP[3:],
        words=0,
        rejects=((Code.BAD_COMPRESSION, 0),),
        format="empty",
    ),
    Case(
        name="zstd without its end",
        data=zstandard.compress(PLAIN)[:-1],
        words=0,
        rejects=((Code.BAD_COMPRESSION, 0),),
        format="empty",
    ),
    Case(
        name="gzip of gzip",
        data=gzip.compress(GZIP),
        words=0,
        rejects=((Code.UNKNOWN_FORMAT, 0),),
        format="unknown",
    ),
]

ITEMS = b", ".join([JSON.strip()] * 3)
ARRAYS = [
    Case(name="array of objects", data=b"[" + ITEMS + b"]", words=3, format="json"),
    Case(
        name="array of arrays",
        data=b"[[2,0,79,617866,307,27],[2,0,79,1,2,3]]\n",
        words=2,
        format="json",
    ),
    Case(
        name="array over several lines, after a BOM",
        data=b"\xef\xbb\xbf\r\n[\r\n  " + ITEMS.replace(b",", b",\r\n    ") + b"\r\n]\r\n",
        words=3,
        format="json",
    ),
    Case(
        name="array that opens on a line of its own",
        data=b"[\n" + ITEMS + b"\n]",
        words=3,
        format="json",
    ),
    Case(
        name="array with brackets, commas and quotes in strings",
        data=b'[{"a":"],[{\\"}","b":[[1,2],{"c":"\\\\"}],' + JSON.strip()[1:] + b"," + ITEMS + b"]",
        words=4,
        format="json",
    ),
    Case(
        name="array with one item that is none",
        data=b"[" + ITEMS + b', {"HEAD":2}, ' + ITEMS + b"]",
        words=6,
        rejects=((Code.BAD_JSON, len(ITEMS) + 2),),
        lengths=(12,),
        format="json",
    ),
    Case(
        name="array with a value out of range",
        data=b"[" + JSON.strip() + b"," + JSON.strip().replace(b"617866", b"4294967296") + b"]",
        words=1,
        rejects=((Code.OUT_OF_RANGE, J + 1),),
        format="json",
    ),
    Case(
        name="array cut in an item",
        data=b"[" + ITEMS[:-9],
        words=2,
        rejects=((Code.TRUNCATED, 2 * J + 2),),
        format="json",
    ),
    Case(
        name="array that lost a quote, on lines",
        data=b"["
        + JSON.strip()
        + b",\n"
        + JSON.replace(b'BX"', b"BX", 1)[:-1].replace(b'"307"', b'"307')
        + b",\n"
        + JSON.strip()
        + b"\n]",
        words=2,
        rejects=((Code.BAD_JSON, J + 1),),
        format="json",
    ),
    Case(
        name="array with an item of 100,000 bytes",
        data=b"[" + ITEMS + b"," + JSON.strip()[:-1] + b" " * 100_000 + b"}," + ITEMS + b"]",
        words=6,
        rejects=((Code.BAD_JSON, len(ITEMS) + 2),),
        format="json",
    ),
]

STREAMS = [*TEXT, *FIELDS, *ROWS, *OBJECTS, *ARRAYS, *BINARY, *BLOCKS, *COMPRESSED]


def _parquet(**columns: Any) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


SIX = {
    name: pa.array(values)
    for name, values in zip(
        COLUMNS, ([2, 2], [0, 1], [79, 80], [617866, 617867], [307, 308], [27, 26]), strict=True
    )
}
WORD = pa.array([ROW_WORD, ROW_WORD + 1], pa.uint64())
GOOD = _parquet(WORD=WORD)
PARQUET = [
    Case(name="parquet of words", data=GOOD, words=2),
    Case(name="parquet of six columns", data=_parquet(**SIX), words=2),
    Case(name="parquet with columns more", data=_parquet(EXTRA=WORD, **SIX), words=2),
    Case(
        name="parquet of six columns as strings",
        data=_parquet(**{k: pa.array([str(n) for n in v.to_pylist()]) for k, v in SIX.items()}),
        words=2,
    ),
    Case(
        name="parquet of six columns as floats",
        data=_parquet(**{k: v.cast(pa.float64()) for k, v in SIX.items()}),
        words=2,
    ),
    Case(name="parquet of no rows", data=_parquet(WORD=WORD[:0]), words=0),
    Case(
        name="parquet of no rows in six columns",
        data=_parquet(**{k: v[:0] for k, v in SIX.items()}),
        words=0,
    ),
    Case(
        name="parquet with a null in a column",
        words=1,
        rejects=((Code.NOT_A_NUMBER, 1),),
        data=_parquet(**SIX | {"ORBIT_CNT": pa.array([1, None])}),
    ),
    Case(
        name="parquet with a number out of range",
        words=1,
        rejects=((Code.OUT_OF_RANGE, 0),),
        data=_parquet(**SIX | {"ORBIT_CNT": pa.array([2**32, 5])}),
    ),
    Case(
        name="parquet with a negative number",
        words=1,
        rejects=((Code.NEGATIVE, 1),),
        data=_parquet(**SIX | {"FPGA": pa.array([0, -1])}),
    ),
    Case(
        name="parquet with a fraction",
        words=1,
        rejects=((Code.NOT_AN_INTEGER, 0),),
        data=_parquet(**SIX | {"BX_COUNTER": pa.array([0.5, 1])}),
    ),
    Case(
        name="parquet with nan",
        words=1,
        rejects=((Code.NOT_A_NUMBER, 0),),
        data=_parquet(**SIX | {"BX_COUNTER": pa.array([float("nan"), 1])}),
    ),
    Case(
        name="parquet with bools",
        words=0,
        rejects=((Code.NOT_A_NUMBER, 0), (Code.NOT_A_NUMBER, 1)),
        data=_parquet(**SIX | {"FPGA": pa.array([False, True])}),
    ),
    Case(name="parquet cut short", data=GOOD[:-20], words=0, error="damaged or cut short"),
    Case(name="parquet of its magic alone", data=b"PAR1", words=0, error="damaged or cut short"),
    Case(
        name="parquet of zeros",
        data=b"PAR1" + bytes(500) + b"PAR1",
        words=0,
        error="damaged or cut short",
    ),
    Case(
        name="parquet with other columns",
        data=_parquet(a=WORD, b=WORD),
        words=0,
        error="found columns a, b; expected WORD",
    ),
    Case(
        name="parquet with five columns",
        words=0,
        error="found columns HEAD, FPGA",
        data=_parquet(**{k: v for k, v in SIX.items() if k != "BX_COUNTER"}),
    ),
    Case(
        name="parquet with null words",
        data=_parquet(WORD=pa.array([1, None], pa.uint64())),
        words=0,
        error="1 nulls",
    ),
    Case(
        name="parquet with signed words",
        data=_parquet(WORD=pa.array([1, 2])),
        words=0,
        error="column WORD is int64",
    ),
    Case(
        name="parquet with words as strings",
        data=_parquet(WORD=pa.array(["1"])),
        words=0,
        error="column WORD is string",
    ),
    Case(
        name="parquet with a name that is no UTF-8",
        data=GOOD.replace(b"WORD", b"W\xd4RD"),
        words=0,
        error="parquet: damaged or cut short",
    ),
    Case(
        name="parquet with rows hidden in strings",
        data=_parquet(**{k: pa.array(["2,2\n2,2,2,2,2,2\n2", str(2)]) for k in SIX}),
        words=1,
        rejects=((Code.NOT_A_NUMBER, 0),),
    ),
    Case(
        name="parquet with a list in a column",
        words=0,
        error="parquet: ",
        data=_parquet(**SIX | {"FPGA": pa.array([[1], [2]])}),
    ),
]
