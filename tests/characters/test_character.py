"""Ids: safe as file names, sorted as splits sort them."""

from __future__ import annotations

import pytest

from specsia_build.characters.character import id_order_key, safe_id


def test_numeric_ids_come_first_as_integers() -> None:
    ids = ["b", "10", "9", "-1", "007", "a10", "7", "²", "a9"]
    assert sorted(ids, key=id_order_key) == ["007", "7", "9", "10", "-1", "a10", "a9", "b", "²"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hero-1_x", "Hero-1_x"),
        ("a b/c.d", "a_b_c_d"),
        ("キャラ ñ", "キャラ_ñ"),
        ("e\u0301", "é"),
        ("", "_"),
        ("../..", "_____"),
    ],
)
def test_safe_ids(text: str, expected: str) -> None:
    assert safe_id(text) == expected
