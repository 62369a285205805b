"""Ids in digits, lists of the splits and shards, as the published set has them.

The authors' scripts take only characters whose id is a number, list views as ``{id}_{view:02d}``, and upload
the lists of `train`, `validation` and `test` in shards of about 500 rows.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from specsia_build.characters.character import id_order_key

IDS_FILE = "ids.json"  # Id of each number, beside the published files
FIRST_NUMBER = 90_000  # Least number for ids that are none; the published ids are below 10,000
ROWS_A_SHARD = 500  # Rows of a shard at most; 12,980, 1,000 and 1,000 rows give 26, 2 and 2 shards
# Seed of the published splits, not of a build, so that every build of a source has the same splits
SPLIT_SEED = 42

LISTS = {"train": "train", "validation": "val", "test": "test"}  # Name of each split in the names of lists
LIST_FILES = {split: f"splits/{name}_uids.json" for split, name in LISTS.items()}
"""List of uids of each split, in the order of the splits."""

CHARACTER_LISTS = "splits/split_chars.json"


def is_number(character_id: str) -> bool:
    """Whether an id has digits only, as the authors' scripts demand."""
    return character_id.isascii() and character_id.isdecimal()


def numbered(ids: Iterable[str]) -> dict[str, str]:
    """Number of each id, as text: itself, or the next free one from 90,000 plus its place among all ids."""
    ordered = sorted(set(ids), key=id_order_key)
    taken = {int(i) for i in ordered if is_number(i)}
    numbers: dict[str, str] = {}
    for place, character_id in enumerate(ordered):
        if is_number(character_id):
            numbers[character_id] = character_id
            continue
        number = FIRST_NUMBER + place
        while number in taken:
            number += 1
        taken.add(number)
        numbers[character_id] = str(number)
    return numbers


def ids_text(numbers: Mapping[str, str]) -> str:
    """Text of `ids.json`: the id of each number, given the number of each id."""
    by_number = {numbers[i]: i for i in in_order(numbers, numbers)}
    return json.dumps(by_number, indent=1, ensure_ascii=False) + "\n"


def in_order(ids: Iterable[str], numbers: Mapping[str, str]) -> list[str]:
    """Ids in the order of the published lists: by number."""
    return sorted(ids, key=lambda i: (int(numbers[i]), numbers[i]))


def view_uid(number: str, view: int) -> str:
    """Name of a character's view: of its folder in the tree, and `uid` of its row."""
    return f"{number}_{view:02d}"


def split_lists(
    splits: Mapping[str, str], views: Mapping[str, int], numbers: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield name and text of the files in `splits/`; the other mappings may have more ids than `views`."""
    characters: dict[str, list[str]] = {split: [] for split in LISTS}
    for character_id in in_order(views, numbers):
        characters[splits[character_id]].append(character_id)
    for split, ids in characters.items():
        uids = [view_uid(numbers[i], view) for i in ids for view in range(views[i])]
        yield LIST_FILES[split], json.dumps(uids, indent=2)
    by_number: dict[str, list[str]] = {}
    for split, ids in characters.items():
        by_number[LISTS[split]] = [numbers[i] for i in ids]
    yield CHARACTER_LISTS, json.dumps({"seed": SPLIT_SEED, **by_number}, indent=2)


class ShardRows(NamedTuple):
    """Rows of a shard: of whole characters, less the views that lie in the shards before and after it."""

    characters: range  # Range of characters, in their order
    first: int  # Number of views of the first character that lie in an earlier shard
    rows: int  # Number of rows


def shards(views: Sequence[int]) -> list[ShardRows]:
    """Cut the rows of a split into shards, given the number of views of each character in order.

    As `datasets` cuts them: contiguous, by rows and not by characters, the first ones a row longer where the
    rows cannot be shared evenly. No rows give no shards.
    """
    ends = list(accumulate(views))
    total = ends[-1] if ends else 0
    count = -(-total // ROWS_A_SHARD)
    pieces = []
    starts = [total // count * k + min(k, total % count) for k in range(count + 1)] if count else []
    for start, end in pairwise(starts):
        inside = [k for k, last in enumerate(ends) if start < last and last - views[k] < end]
        first = inside[0]
        skipped = start - (ends[first] - views[first])
        pieces.append(ShardRows(range(first, inside[-1] + 1), skipped, end - start))
    return pieces
