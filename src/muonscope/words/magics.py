"""Files of other kinds, by their magic bytes: what they are and what to do with them.

Only what people may take for a recording, or for its export, is told by name. Sources: the
documents of each format, as gathered in the *List of file signatures* of Wikipedia.
"""

__all__ = ["foreign_kind"]

_UNPACK = "unpack it"
_NUMPY = (
    "save its six columns as text with numpy.savetxt, or its words with array.astype('<u8').tofile"
)
_CSV = "export its table as CSV"
_NO_WORDS = "it holds no words"

_MAGICS = (
    (b"\x93NUMPY", "a NumPy array", _NUMPY),
    (b"\x80\x02", "a Python pickle", _NUMPY),
    (b"\x80\x03", "a Python pickle", _NUMPY),
    (b"\x80\x04\x95", "a Python pickle", _NUMPY),
    (b"\x80\x05\x95", "a Python pickle", _NUMPY),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write its six columns as text, or its words as bytes"),
    (b"root\0", "a ROOT file", "write the six columns of its tree as CSV, e.g. with uproot"),
    (b"CDF\x01", "a netCDF file", _CSV),
    (b"CDF\x02", "a netCDF file", _CSV),
    (b"SIMPLE  =", "a FITS file", _CSV),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", _CSV),
    (b"ARROW1", "an Arrow (Feather) file", "write its table as Parquet or CSV"),
    (b"FEA1", "a Feather file", "write its table as Parquet or CSV"),
    (b"ORC", "an ORC file", "write its table as Parquet or CSV"),
    (b"Obj\x01", "an Avro file", "write its table as Parquet or CSV"),
    (b"SQLite format 3\0", "an SQLite database", _CSV),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as .xls", _CSV),
    (b"PK\x03\x04", "a zip archive", _UNPACK),
    (b"PK\x05\x06", "an empty zip archive", _NO_WORDS),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x04\x22\x4d\x18", "LZ4 data", "unpack it with lz4 -d"),
    (b"\xff\x06\0\0sNaPpY", "Snappy data", _UNPACK),
    (b"\x1f\x8b", "compressed twice", "unpack it once"),
    (b"\x28\xb5\x2f\xfd", "compressed twice", "unpack it once"),
    (b"\xfd7zXZ\0", "compressed twice", "unpack it once"),
    (b"BZh", "compressed twice", "unpack it once"),
    (b"%PDF-", "a PDF document", _NO_WORDS),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _NO_WORDS),
    (b"\xff\xd8\xff", "a JPEG image", _NO_WORDS),
    (b"GIF8", "a GIF image", _NO_WORDS),
    (b"\x7fELF", "a program", _NO_WORDS),
    (b"\xd4\xc3\xb2\xa1", "a capture of network packets", "write what the packets hold to a file"),
    (b"\x0a\x0d\x0d\x0a", "a capture of network packets", "write what the packets hold to a file"),
)
_IN_ZIP = (
    (b"[Content_Types].xml", "an Office document, such as .xlsx", _CSV),
    (b"application/vnd.oasis.opendocument", "an OpenDocument file, such as .ods", _CSV),
    (b".npy", "NumPy arrays (.npz)", _NUMPY),
)
_TAR_AT, _TAR = 257, b"ustar"
_ENCODINGS = (
    ("UTF-32", "utf-32-le", 4), ("UTF-32", "utf-32-be", 4),
    ("UTF-16", "utf-16-le", 2), ("UTF-16", "utf-16-be", 2),
)  # fmt: skip
_MOSTLY = 0.9


def foreign_kind(first: bytes, least: int = 1) -> str:
    """Return what a file is and what to do, told by its ``first`` bytes; empty if unknown.

    Magics shorter than ``least`` bytes are left out: a recording may begin so by chance.

    Examples
    --------
    >>> foreign_kind(b"%PDF-1.7")
    'a PDF document: it holds no words'
    """
    for magic, kind, advice in _MAGICS:
        if len(magic) >= least and first.startswith(magic):
            inside = _IN_ZIP if magic == b"PK\x03\x04" else ()
            better = ((name, what) for sign, name, what in inside if sign in first)
            return ": ".join(next(better, (kind, advice)))
    if first[_TAR_AT:].startswith(_TAR):
        return f"a tar archive: {_UNPACK}"
    name = _wide_text(first)
    return f"{name} text: save it as UTF-8" if name else ""


def _wide_text(first: bytes) -> str:
    """Return the name of an encoding of two or four bytes in which this is plain text."""
    for name, encoding, width in _ENCODINGS:
        size = len(first) // width * width
        text = first[:size].decode(encoding, "replace").removeprefix("\ufeff")
        if text and sum(c.isascii() and (c.isprintable() or c in "\t\r\n") for c in text) > (
            _MOSTLY * len(text)
        ):
            return name
    return ""
