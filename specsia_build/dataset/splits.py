"""Assign characters to splits: once, by the source's ids, then frozen."""

import json
import random
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.schema import SPLITS
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json
from specsia_build.published.ids import SPLIT_SEED

PUBLISHED_CHARACTERS, PUBLISHED_HELD_OUT = 1498, 100

RULE = (
    "ids sorted, numeric ones first as integers; shuffled by random.Random(42); test = first n, validation "
    "= next n, train = the rest; n = max(1, round half up of 100 N / 1498), none below three characters"
)


def held_out(count: int) -> int:
    """Number of characters in each of validation and test, of `count` in all."""
    if count < 3:
        return 0
    return max(1, (2 * PUBLISHED_HELD_OUT * count + PUBLISHED_CHARACTERS) // (2 * PUBLISHED_CHARACTERS))


def assign(ids: Iterable[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Assign a split to each id of a source; ids with a `fixed` split take no part in the draw."""
    ordered = sorted(set(ids), key=id_order_key)
    drawn = [i for i in ordered if i not in fixed]
    random.Random(SPLIT_SEED).shuffle(drawn)  # noqa: S311  the published set's own generator
    n = held_out(len(drawn))
    order = {i: ("test" if k < n else "validation" if k < 2 * n else "train") for k, i in enumerate(drawn)}
    return {i: fixed.get(i) or order[i] for i in ordered}


def grown(frozen: Mapping[str, str], ids: Iterable[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Add later characters to frozen splits: to train unless a manifest (`fixed`) says otherwise.

    They are appended, so that packed rows keep their places; a manifest may also move earlier characters.
    """
    new = sorted({i for i in ids if i not in frozen}, key=id_order_key)
    kept = {i: fixed.get(i, split) for i, split in frozen.items()}
    return {**kept, **{i: fixed.get(i, "train") for i in new}}


def ids_in(splits: Mapping[str, str], name: str) -> list[str]:
    """Ids of a split, in the order of the mapping."""
    return [i for i, split in splits.items() if split == name]


def to_json(splits: Mapping[str, str]) -> str:
    """Text of `splits.json`; the ids of a split are in the order of the mapping."""
    by_split = {name: ids_in(splits, name) for name in SPLITS}
    return json.dumps({"seed": SPLIT_SEED, "rule": RULE, **by_split}, indent=1, ensure_ascii=False) + "\n"


def from_json(path: Path) -> dict[str, str]:
    """Read the split of each id from a `splits.json`, in its order."""
    try:
        return parse(path.read_bytes(), str(path))
    except (OSError, SpecsiaError) as error:
        reason = f"{path} is not a splits file: {error.strerror}" if isinstance(error, OSError) else error
        cure = "put that of the run's dataset in its place, or delete it and build again"
        raise SpecsiaError(f"{reason}: {cure}, which draws new ones") from error


def parse(data: bytes | str, name: str) -> dict[str, str]:
    """Parse the text of a `splits.json` called `name` to the split of each id."""
    try:
        lists = msgspec.convert(parse_json(data, "it"), dict[str, Any])
        ids = [(i, split) for split in SPLITS for i in msgspec.convert(lists.get(split), list[str])]
    except (SpecsiaError, msgspec.ValidationError) as error:
        raise SpecsiaError(f"{name} is not a splits file: {error}") from error
    if len(dict(ids)) < len(ids):
        raise SpecsiaError(f"{name} is not a splits file: it has an id twice")
    return dict(ids)


def empty_notes(planned: Mapping[str, str], packed: Collection[str]) -> list[str]:
    """A sentence about each planned split without packed ids."""
    filled = {planned[i] for i in packed if i in planned}
    cure = 'to move a character there, state its "split" in the manifest'
    empty = [name for name in SPLITS if name in planned.values() and name not in filled]
    return [f"{name} has no rows, as none of its characters is packed; {cure}" for name in empty]
