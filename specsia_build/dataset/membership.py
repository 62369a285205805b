"""Which characters a packed dataset holds, and in which split."""

from __future__ import annotations

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.pairs import character_of
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.errors import SpecsiaError


def splits_of(dataset: OpenedDataset) -> dict[str, str]:
    """Split of each character that has rows, in any configuration; of the rows only their ids are read.

    Raises:
        SpecsiaError: if a shard is damaged, an id is none, or a character is in two splits.
    """
    columns = ["uid" if dataset.kind == "published" else "character_id"]
    found: dict[str, str] = {}
    for config in dataset.configs:
        for split in dataset.splits(config):
            for row in dataset.stream(config, split, columns):
                character_id = character_of(row, dataset.where)
                if found.setdefault(character_id, split) != split:
                    raise SpecsiaError(
                        f"{dataset.where} has the character {character_id} in two splits, {found[character_id]} and "
                        f"{split}, and cannot be followed"
                    )
    return dict(sorted(found.items(), key=lambda item: id_order_key(item[0])))
