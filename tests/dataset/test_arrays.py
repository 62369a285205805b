"""Arrays are those of `pyarrow.array`, without what that imports."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.dataset.parquet import array_of

WHOLE = st.integers(-(2**31), 2**31 - 1)
FLOATS = st.floats(allow_nan=False)


@st.composite
def columns(draw: st.DrawFn) -> tuple[pa.DataType, list[Any]]:
    kind, value = draw(
        st.sampled_from(
            [
                (pa.string(), st.text()),
                (pa.binary(), st.binary()),
                (pa.int32(), WHOLE),
                (pa.float64(), FLOATS),
                (pa.list_(pa.float64(), 3), st.lists(FLOATS, min_size=3, max_size=3)),
                (pa.list_(pa.int32(), 2), st.lists(WHOLE, min_size=2, max_size=2)),
            ]
        )
    )
    return kind, draw(st.lists(st.none() | value, max_size=20))


@given(columns())
def test_values_are_held_as_pyarrow_holds_them(column: tuple[pa.DataType, list[Any]]) -> None:
    kind, values = column
    found = array_of(values, kind)
    found.validate(full=True)
    assert found.equals(pa.array(values, kind))
    assert found.null_count == values.count(None)
