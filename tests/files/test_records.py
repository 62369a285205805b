"""Damaged JSON."""

from __future__ import annotations

import pytest

from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b" \n", "not JSON"),
        ("1" * 5000, "not JSON"),
    ],
)
def test_damaged_json_is_a_sentence(data: bytes | str, why: str) -> None:
    with pytest.raises(SpecsiaError, match=f"build.json cannot be read: .*{why}"):
        parse_json(data, "build.json")
