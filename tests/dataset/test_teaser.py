"""The picture at the top of a dataset's card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from specsia_build.dataset import schema
from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.push import read_local
from specsia_build.dataset.reading import open_dataset
from specsia_build.films import over
from specsia_build.pipeline.layout import RunLayout
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


def test_it_is_listed_shown_and_small(two_backends: Path) -> None:
    sums, _ = parse_sums((two_backends / schema.SUMS_FILE).read_text())
    assert schema.TEASER in sums
    card = (two_backends / schema.CARD).read_text(encoding="utf-8")
    assert card.split("---\n")[2].split("\n\n")[1] == "![Y* and Z of a few of them](teaser.webp)"
    assert (two_backends / schema.TEASER).stat().st_size < 100_000
    assert schema.TEASER in read_local(two_backends).digests


def test_one_of_clips_shows_their_frames(clips_run: RunLayout) -> None:
    dataset = open_dataset(clips_run.dataset)
    clips = list(
        dict.fromkeys(
            row["clip"] for split in dataset.splits("default") for row in dataset.stream("default", split, ["clip"])
        )
    )
    keys = [clips[k] for k in spread(len(clips), 4)]
    assert teaser(clips_run.dataset).shape[1::-1] == Sheet(keys, ["Y*", "Z"], [""] * 4, across=2, tile=96).size
