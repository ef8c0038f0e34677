"""Tracks as a tree of ROOT, by uproot: one entry a row, its hits as arrays."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from muonscope.transports.root_file import uproot

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TREE", "VIEWS", "root_writer"]

TREE = "tracks"
"""Name of the tree; beside it stands ``about``, JSON with what each branch holds, and its unit."""

VIEWS = ("phi", "theta")
"""Strings cannot be branches: a view is its place here."""

_HIT = "hit"
_BASKET_ROWS = 50_000


def root_writer() -> Callable[..., Any]:
    """Return what gives a way to write tables of tracks to a file.

    Raises
    ------
    OptionError
        If uproot is not installed.
    """
    recreate = uproot().recreate
    import awkward  # which comes with it

    @contextmanager
    def writing(file: Any, schema: "pa.Schema") -> Iterator[Callable[["pa.Table"], None]]:
        import pyarrow as pa

        kept: list[pa.Table] = []
        with recreate(file) as root:
            root["about"] = orjson.dumps(_about(schema)).decode()
            tree = root.mktree(TREE, _branches(schema), title="tracks of muons")

            def flush() -> None:
                table = pa.concat_tables([schema.empty_table(), *kept])
                if table.num_rows:
                    tree.extend(_arrays(awkward, table))
                kept.clear()

            def put(table: "pa.Table") -> None:
                kept.append(table)
                if sum(part.num_rows for part in kept) >= _BASKET_ROWS:
                    flush()

            yield put
            flush()

    return writing


def _split(schema: "pa.Schema") -> tuple[list["pa.Field"], list["pa.Field"]]:
    """Return the columns with one value a row, and those with one a hit."""
    import pyarrow as pa

    each = [field for field in schema if pa.types.is_list(field.type)]
    return [field for field in schema if field not in each], each


def _branches(schema: "pa.Schema") -> dict[str, str]:
    """Return the types of the branches, as awkward names them."""
    import pyarrow as pa

    whole, each = _split(schema)
    types = {
        field.name: "int8" if pa.types.is_string(field.type) else _name(field.type)
        for field in whole
    }
    inner = ", ".join(f"{_hit_name(field)}: {_name(field.type.value_type)}" for field in each)
    return types | {_HIT: f"var * {{{inner}}}"}


def _arrays(awkward: Any, table: "pa.Table") -> dict[str, Any]:
    """Return the values of the branches."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole, each = _split(table.schema)
    made = {}
    for field in whole:
        column = table.column(field.name)
        if pa.types.is_string(field.type):
            column = pc.index_in(column, pa.array(VIEWS)).cast(pa.int8())
        missing = math.nan if pa.types.is_floating(column.type) else -1
        if column.null_count:
            column = column.fill_null(missing)
        made[field.name] = column.to_numpy()
    counts = pc.list_value_length(table.column(each[0].name)).to_numpy()
    hits = {
        _hit_name(field): pc.list_flatten(table.column(field.name)).to_numpy() for field in each
    }
    return made | {_HIT: awkward.unflatten(awkward.zip(hits), counts)}


def _about(schema: "pa.Schema") -> dict[str, str]:
    """Return what each branch holds, and its unit."""
    whole, each = _split(schema)
    names = [(field.name, field) for field in whole]
    names += [(f"{_HIT}_{_hit_name(field)}", field) for field in each]
    told = {}
    for name, field in names:
        metadata = field.metadata or {}
        unit = metadata.get(b"unit", b"").decode()
        views = "; " + ", ".join(f"{n}: {view}" for n, view in enumerate(VIEWS))
        told[name] = metadata[b"about"].decode() + (f" [{unit}]" if unit else "")
        told[name] += views if name == "view" else ""
    return told


def _hit_name(field: "pa.Field") -> str:
    name: str = field.name
    return {"cells": "cell", "channels": "channel"}.get(name, name)


def _name(kind: "pa.DataType") -> str:
    name: str = np.dtype(kind.to_pandas_dtype()).name
    return name
