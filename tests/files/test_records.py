"""Damaged JSON."""

from __future__ import annotations

import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"{", "no JSON at line 1, column 2"),
        (b"\xff", "no UTF-8 text"),
        (b" \n", "it is empty"),
        ("1" * 5000, "too many digits"),
    ],
)
def test_damaged_json_is_a_sentence(data: bytes | str, why: str) -> None:
    with pytest.raises(SpecsiaError, match=f"build.json cannot be read: .*{why}"):
        parse_json(data, "build.json")
