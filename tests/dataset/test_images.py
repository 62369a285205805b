"""Position colours and edge images beside NumPy, and the picture of a dataset's card."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from PIL import Image

from specsia_build.dataset import schema
from specsia_build.dataset.reading import open_dataset
from specsia_build.pictures.films import over
from specsia_build.pictures.sheets import Sheet, rgba, spread
from specsia_build.rendering.positions import edge_image
from tests.dataset.small import SIZE, VIEWS
from tests.published.figures import edges


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 40), st.integers(1, 60))
def test_edges_at_jumps_and_silhouette(seed: int, height: int, width: int, levels: int) -> None:
    random = np.random.default_rng(seed)
    pos = random.integers(0, levels, (height, width, 4), dtype=np.uint8)
    pos[..., 3] = np.where(random.random((height, width)) < 0.9, 255, random.integers(0, 255))
    assert_array_equal(edge_image(pos), edges(pos))


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
def test_teaser_pairs_gt_with_z(which: str, heads: list[str], request: pytest.FixtureRequest) -> None:
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
