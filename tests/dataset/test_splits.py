"""Splits: the published numbers, unaffected by failures and later characters."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.dataset.splits import assign, from_json, grown, held_out, parse, to_json
from specsia_build.errors import SpecsiaError

NAMES = st.one_of(st.integers(0, 500).map(str), st.text("abcÄ_-7", min_size=1, max_size=4))
IDS = st.sets(NAMES, max_size=60)


def test_published_numbers() -> None:
    ids = [str(i) for i in range(1498)]
    assert Counter(assign(ids, {}).values()) == {"train": 1298, "validation": 100, "test": 100}
    shuffled = ids.copy()
    random.Random(42).shuffle(shuffled)
    assert {i for i, s in assign(reversed(ids), {}).items() if s == "test"} == set(shuffled[:100])
    assert {i for i, s in assign(ids, {}).items() if s == "validation"} == set(shuffled[100:200])


@given(IDS)
def test_one_split_for_any_order_also_in_a_file(ids: set[str]) -> None:
    found = assign(sorted(ids), {})
    assert set(found) == ids
    assert found == assign(sorted(ids, reverse=True), {}) == parse(to_json(found), "it")
    counts = Counter(found.values())
    assert counts["test"] == counts["validation"] == held_out(len(ids))


def test_fixed_ids_are_not_drawn() -> None:
    ids, fixed = [str(i) for i in range(30)], {"3": "test", "4": "train"}
    splits = assign(ids, fixed)
    assert splits == {**splits, **fixed, **assign([i for i in ids if i not in fixed], {})}


@given(IDS, IDS)
def test_later_characters_join_train(first: set[str], later: set[str]) -> None:
    frozen = assign(first, {})
    found = grown(frozen, later, {})
    assert set(found) == first | later
    assert all(found[i] == frozen[i] for i in first)
    assert all(found[i] == "train" for i in later - first)


def test_manifest_moves_characters() -> None:
    frozen = {"a": "train", "b": "test", "c": "test"}
    assert grown(frozen, ["a", "b", "d"], {"a": "test", "d": "test"}) == {**frozen, "a": "test", "d": "test"}


def test_ids_keep_their_order() -> None:
    first = assign(["b", "10", "9"], dict.fromkeys(["b", "10", "9"], "train"))
    assert json.loads(to_json(first))["train"] == ["9", "10", "b"]
    later = grown(first, ["b", "a", "11", "10", "2", "9"], {})
    assert json.loads(to_json(later))["train"] == ["9", "10", "b", "2", "11", "a"]
    assert (json.loads(to_json(later))["seed"], json.loads(to_json(later))["test"]) == (42, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"train": "ab", "validation": [], "test": []}',
        '{"train": [1], "validation": [], "test": []}',
        '{"train": ["a"], "validation": ["a"], "test": []}',
    ],
)
def test_invalid_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(text)
    with pytest.raises(SpecsiaError, match="is not a splits file: "):
        from_json(path)
    with pytest.raises(SpecsiaError, match="is not a splits file: "):
        from_json(tmp_path / "none.json")
