"""Numbers, lists and shards beside what the release's scripts gave for the same ids."""

import hashlib
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.dataset.splits import assign
from specsia_build.published.ids import ids_text, numbered, shards, split_lists, view_uid

LISTED = {
    "splits/train_uids.json": "a535e6eb0238ce94",
    "splits/val_uids.json": "d5f7be47623907dc",
    "splits/test_uids.json": "1cb4cdb80c8bbd3e",
    "splits/split_chars.json": "7270dc7e07493f04",
}
"""First digits of the SHA-256 of what `create_splits.py` wrote for a view of each of the ids 0 to 1497."""


def test_lists_of_the_published_ids() -> None:
    ids = [str(number) for number in range(1498)]
    texts = dict(split_lists(assign(reversed(ids), {}), dict.fromkeys(ids, 1), numbered(ids)))
    assert {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in texts.items()} == LISTED


def test_lists_of_views_and_names() -> None:
    splits = {"fox": "train", "9": "train", "10": "validation", "ape": "test", "gone": "train"}
    texts = dict(split_lists(splits, {"9": 2, "fox": 1, "10": 1, "ape": 2}, numbered(splits)))
    lists = {name.removesuffix(".json"): json.loads(text) for name, text in texts.items()}
    assert lists["splits/train_uids"] == ["9_00", "9_01", "90003_00"]
    assert lists["splits/val_uids"] == ["10_00"]
    assert lists["splits/test_uids"] == ["90002_00", "90002_01"]
    assert lists["splits/split_chars"]["train"] == ["9", "90003"]


def test_numbers_of_names() -> None:
    numbers = numbered(["b", "a", "12", "90002", "007", "١"])
    assert numbers == {"007": "007", "12": "12", "90002": "90002", "a": "90003", "b": "90004", "١": "90005"}
    assert numbered(["a", "90002", "90003"])["a"] == "90004"
    assert json.loads(ids_text(numbers))["90004"] == "b"
    assert [view_uid("7", view) for view in (0, 10, 100)] == ["7_00", "7_10", "7_100"]


@given(st.lists(st.one_of(st.integers(0, 90_020).map(str), st.text("ab", min_size=1, max_size=3))))
def test_numbers_are_distinct(ids: list[str]) -> None:
    numbers = numbered(ids)
    assert numbers.keys() == set(ids)
    assert len(set(numbers.values())) == len(numbers)
    assert numbers == numbered(reversed(ids))


@pytest.mark.parametrize(
    ("characters", "sizes"),
    [(1298, [500] * 6 + [499] * 20), (100, [500, 500]), (50, [500]), (1, [10]), (0, [])],
)
def test_shards_are_those_of_datasets(characters: int, sizes: list[int]) -> None:
    """Sizes as `datasets.Dataset.shard(count, index, contiguous=True)` gave them."""
    assert [piece.rows for piece in shards([10] * characters)] == sizes


@given(st.lists(st.integers(1, 700), max_size=12))
def test_shards_hold_every_view_once(views: list[int]) -> None:
    rows = [(character, view) for character, count in enumerate(views) for view in range(count)]
    found = []
    pieces = shards(views)
    for piece in pieces:
        inside = [row for row in rows if row[0] in piece.characters]
        found += inside[piece.first : piece.first + piece.rows]
    assert found == rows
    assert all(a.rows in (b.rows, b.rows + 1) for a, b in pairwise(pieces))
    assert all(0 < piece.rows <= 500 for piece in pieces)
