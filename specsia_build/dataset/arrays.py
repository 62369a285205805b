"""Arrow arrays of Python values: `pyarrow.array` imports pandas first, which takes longer than packing a small run."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_BYTES = int(np.iinfo(np.int32).max)


def array_of(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The array that `pyarrow.array` makes of values, of text, bytes, numbers, or lists of a fixed number of these.

    Raises:
        OverflowError: if a number, or the bytes of all in one, exceed what the type holds.
        TypeError, ValueError: if a value is none of the type, or a list has another number of them.
    """
    import pyarrow as pa

    known = np.array([value is not None for value in values], np.bool_)
    valid = None if known.all() else pa.py_buffer(np.packbits(known, bitorder="little"))
    nulls = len(values) - int(known.sum())
    if pa.types.is_fixed_size_list(kind):
        lists = [(0,) * kind.list_size if value is None else value for value in values]
        if any(len(one) != kind.list_size for one in lists):
            raise ValueError(f"not all lists have {kind.list_size} values")
        inner = array_of([one for each in lists for one in each], kind.value_type)
        return pa.Array.from_buffers(kind, len(values), [valid], nulls, children=[inner])
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        coded = [value.encode() if isinstance(value, str) else value or b"" for value in values]
        ends = np.cumsum([0, *map(len, coded)], dtype=np.int64)
        if ends[-1] > _MOST_BYTES:
            raise OverflowError(f"an array holds no more than {_MOST_BYTES:,} bytes, not {ends[-1]:,}")
        stored = [valid, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(coded))]
        return pa.Array.from_buffers(kind, len(values), stored, nulls)
    convert = index if pa.types.is_integer(kind) else float
    numbers = np.array([convert(0 if value is None else value) for value in values], kind.to_pandas_dtype())
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)], nulls)
