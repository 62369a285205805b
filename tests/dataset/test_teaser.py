"""The picture at the top of a dataset's card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build.dataset import schema
from specsia_build.dataset.reading import open_dataset
from specsia_build.films import over
from specsia_build.sheets import Sheet, rgba, spread
from tests.dataset.small import SIZE, VIEWS


def teaser(folder: Path) -> NDArray[np.uint8]:
    with Image.open(folder / schema.TEASER) as opened:
        return np.asarray(opened.convert("RGB"))


def pictures(folder: Path, config: str, column: str) -> dict[str, list[NDArray[np.uint8]]]:
    """Pictures of each character, in the order of the rows."""
    dataset, found = open_dataset(folder), dict[str, list[NDArray[np.uint8]]]()
    for split in dataset.splits(config):
        for row in dataset.stream(config, split, ["character_id", column]):
            found.setdefault(row["character_id"], []).append(rgba(row[column]))
    return found


@pytest.mark.parametrize(
    ("which", "heads"), [("one_backend", ["Y*", "Z"]), ("two_backends", ["Y*", "Z fat", "Z thin"])]
)
def test_it_shows_y_star_beside_each_z_from_several_views(
    which: str, heads: list[str], request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(which)
    shown, dataset = teaser(folder), open_dataset(folder)
    rows = [pictures(folder, dataset.configs[0], schema.GT)]
    rows += [pictures(folder, config, schema.COLOR) for config in dataset.configs]
    order = [*rows[0]]
    ids = [order[k] for k in spread(len(order), 4)]
    sheet = Sheet(ids, heads, [""] * VIEWS, across=2, tile=SIZE)
    assert shown.shape == (*sheet.size[::-1], 3)
    for block, key in enumerate(ids):
        for row, by_character in enumerate(rows):
            for column, picture in enumerate(by_character[key]):
                x, y = sheet.place(block, row, column)
                field = shown[y : y + SIZE, x : x + SIZE].astype(int)
                assert abs(field - over(picture, 255)).mean() < 6, (key, row, column)
