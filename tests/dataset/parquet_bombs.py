"""Parquet files of some kilobytes whose rows decode to more than a hundred megabytes.

python -m tests.dataset.parquet_bombs FOLDER FILE...
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

KINDS = ("countless rows", "a long value in each row", "a page that unpacks", "a footer that lies")

_ROWS, _LONG, _PAGE = 400_000, 1_000_000, 110_000_000


def write_bombs(folder: Path, files: Sequence[Path]) -> None:
    """Write bombs of all kinds that have the columns of some files, as FOLDER/KIND/NAME.

    The column `uid` is the bomb, all others are empty. They are written in a process of their own, which may
    be large; those of the last kind say that they unpack to next to nothing.
    """
    subprocess.run([sys.executable, "-m", "tests.dataset.parquet_bombs", folder, *files], check=True)


def _write(path: Path, kind: str, schema: pa.Schema) -> None:
    rows = {"countless rows": _ROWS, "a long value in each row": 120}.get(kind, 1)
    value = "x" * {"countless rows": 1, "a long value in each row": _LONG}.get(kind, _PAGE)
    indices = pa.array([0] * rows, pa.int32())
    bomb = pa.DictionaryArray.from_arrays(indices, pa.array([value]))
    if rows == 1:
        bomb = pa.array([value])
    columns = [bomb if field.name == "uid" else pa.nulls(rows, field.type) for field in schema]
    table = pa.Table.from_arrays(columns, names=schema.names)
    # To find the least and the greatest of such values takes seconds, and neither is kept.
    plain = {"compression": "zstd", "store_schema": False, "write_statistics": False}
    pq.write_table(table, path, use_dictionary=rows > 1, row_group_size=rows, **plain)
    if kind == "a footer that lies":
        group = pq.read_metadata(path).row_group(0)
        chunks = [group.column(k) for k in range(group.num_columns)]
        sizes = {group.total_byte_size, *(column.total_uncompressed_size for column in chunks)}
        data = path.read_bytes()
        for size in (size for size in sizes if size >= _PAGE):
            data = data.replace(_varint(size), _varint(1, len(_varint(size))))
        path.write_bytes(data)


def _varint(number: int, width: int = 0) -> bytes:
    """As Thrift writes it, in at least `width` bytes."""
    left, out = 2 * number, bytearray()
    while left >= 128 or len(out) + 1 < width:
        out.append(left & 127 | 128)
        left >>= 7
    return bytes([*out, left])


if __name__ == "__main__":
    for _kind in KINDS:
        Path(sys.argv[1], _kind).mkdir()
        for _file in map(Path, sys.argv[2:]):
            _write(Path(sys.argv[1], _kind, _file.name), _kind, pq.read_schema(_file).remove_metadata())
