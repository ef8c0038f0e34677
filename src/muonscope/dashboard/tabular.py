"""Columns as files: CSV for spreadsheets, Parquet for notebooks."""

import io
from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from starlette.responses import Response

__all__ = ["FORMATS", "TABLE_TYPES", "Format", "table_answer"]

Format = Literal["json", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

TABLE_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
"""Content types of the formats that are files."""


def table_answer(
    columns: Mapping[str, npt.NDArray[Any]], form: str, name: str, about: Mapping[str, str]
) -> Response:
    """Return ``columns`` as a file called ``name``; ``about`` stands in the schema of Parquet."""
    table = pa.table({key: pa.array(values, from_pandas=True) for key, values in columns.items()})
    out = io.BytesIO()
    if form == "csv":
        pyarrow.csv.write_csv(table, out)
    else:
        pq.write_table(table.replace_schema_metadata(dict(about)), out, compression="zstd")
    disposition = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    return Response(out.getvalue(), headers=disposition, media_type=TABLE_TYPES[form])
