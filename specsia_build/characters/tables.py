"""Rows of a manifest's file: JSON lines or a JSON array, CSV or TSV as spreadsheets write them, Parquet."""

import codecs
import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from specsia_build.errors import UsageError, brief

TABLES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_DELIMITERS = ",;\t"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TableRow(NamedTuple):
    """A row: where it is, such as `line 3`, and its values by key, or a problem of its text."""

    where: str
    values: Mapping[str, Any]
    problem: str | None = None


def rows_of(data: bytes, suffix: str) -> Iterator[TableRow]:
    """Rows of a file's bytes but blank ones; a UsageError, the end of a sentence, for another form."""
    if suffix == ".parquet":
        return _parquet(data)
    if suffix in (".csv", ".tsv"):
        return _delimited(_text(data))
    text = data.decode("utf-16", "replace").encode() if data.startswith(_UTF16) else data
    text = text.removeprefix(codecs.BOM_UTF8)
    return _array(text) if suffix == ".json" else _lines(text)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-16" if data.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError('is not in UTF-8: save it as "CSV UTF-8"') from error


def _lines(data: bytes) -> Iterator[TableRow]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if line.strip():
            yield _decoded(f"line {number}", line)


def _decoded(where: str, line: bytes) -> TableRow:
    try:
        values = msgspec.json.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return TableRow(where, {}, f"no JSON: {error}")
    return _row(where, values)


def _array(data: bytes) -> Iterator[TableRow]:
    try:
        items = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"is not JSON ({brief(str(error), 100)}): name JSON lines .jsonl") from error
    if not isinstance(items, list):
        raise UsageError("is not a JSON array of objects, which pandas writes with orient='records'")
    return (_row(f"item {number}", item) for number, item in enumerate(items, start=1))


def _row(where: str, values: Any) -> TableRow:
    if not isinstance(values, dict):
        return TableRow(where, {}, f"Expected `object`, got `{brief(str(values), 60)}`")
    return TableRow(where, values)


def _delimited(text: str) -> Iterator[TableRow]:
    """Rows of a table with a line of names; empty cells are left out, and `drop` may be a JSON array."""
    first, _, rest = text.partition("\n")
    before = 0
    if first.strip().lower().startswith("sep="):  # As Excel marks its delimiter
        text, before = rest, 1
        first = rest.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    names: list[str] | None = None
    while True:
        where = f"line {before + reader.line_num + 1}"
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield TableRow(where, {}, str(error))
            continue
        if cells is None:
            return
        if names is None:
            names = [cell.strip().lower() for cell in cells]
        elif any(cell.strip() for cell in cells):
            yield _of_cells(where, names, [cell.strip() for cell in cells])


def _of_cells(where: str, names: list[str], cells: list[str]) -> TableRow:
    # A column without a name is pandas' index.
    values: dict[str, Any] = {name: cell for name, cell in zip(names, cells, strict=False) if name and cell}
    if any(cells[len(names) :]):
        return TableRow(where, values, f"{len(cells)} cells, where the first line names {len(names)}")
    if (drop := values.get("drop")) is not None:
        try:
            values["drop"] = msgspec.json.decode(drop) if drop.startswith("[") else [drop]
        except msgspec.MsgspecError as error:
            return TableRow(where, values, f"`drop` is not a JSON array: {error}")
    return TableRow(where, values)


def _parquet(data: bytes) -> Iterator[TableRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(pa.BufferReader(data)).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UsageError(f"is not a readable Parquet file ({brief(str(error), 100)})") from error
    for number, row in enumerate(rows, start=1):
        values = {name: value for name, value in row.items() if not name.startswith("__index_level_")}
        yield TableRow(f"row {number}", values)
