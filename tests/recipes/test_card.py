"""What lies beside a recipe's files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from huggingface_hub import DatasetCard
from PIL import Image

from specsia_build import png
from specsia_build.dataset.verify.files import machine_path
from specsia_build.files.writing import write_bytes
from specsia_build.recipes.folder import write_whole
from specsia_build.recipes.frames import Frames
from specsia_build.recipes.recipe import Written

MADE: dict[str, object] = {
    "specsia": "1.0",
    "config": {"source": "heroes"},
    "stages": {"draw": 1},
    "packages": {"numpy": "2"},
}
MADE |= {"backend": None, "planned": 5, "quarantined": 0, "left_out": 0}


def test_the_card_counts_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    made = {**MADE, "quarantined": 4, "left_out": 1}
    parts = [
        Written(i, i, split, (i,), license_, "by | me", {f"{i}/clip.json": (5, "0" * 64)}, {"frames": 2, "left_out": 1})
        for i, split, license_ in (("10", "train", None), ("9", "train", "MIT"), ("8", "test", "MIT"))
    ]
    assert write_whole(tmp_path, Frames(), lambda: iter(parts), made)[0] == 3
    text = (tmp_path / "README.md").read_text()
    assert "| train | 2 | 2 | 4 | 2 | 0.0 |" in text
    assert all(f"{count} " in text for count in ("5 characters", "4 of the clips", "1 clip", "3 frames"))
    assert "| MIT | by \\| me | 2 |" in text
    assert "specsia 1.0; stages draw 1; numpy 2." in text
    assert machine_path(text) is None
    data = DatasetCard(text).data.to_dict()
    assert data["license"] == "other"
    assert data["viewer"] is False
    assert (tmp_path / "splits.json").read_text().index('"9"') < (tmp_path / "splits.json").read_text().index('"10"')


def test_a_teaser_shows_the_pictures_of_some_parts(tmp_path: Path) -> None:
    parts = []
    for i in "abcdefg":
        for layer, level in (("color", 200), ("mask", 255), ("labels", 3)):
            for k in range(3):
                picture = np.full((24, 24), 0, np.uint8)
                picture[4:20, 4 + k : 16 + k] = level
                write_bytes(tmp_path / f"{i}/{layer}/{k}.png", png.encode(picture))
        files = {path.relative_to(tmp_path).as_posix(): (1, "0" * 64) for path in sorted(tmp_path.glob(f"{i}/*/*"))}
        parts.append(Written(i, i, "train", (i,), "MIT", None, files, {"frames": 3}))
    shown = []
    for _ in range(2):
        _, own = write_whole(tmp_path, Frames(), lambda: iter(parts), MADE)
        shown.append((tmp_path / "teaser.webp").read_bytes())
    assert shown[0] == shown[1] and "teaser.webp" in own
    assert f"{hashlib.sha256(shown[0]).hexdigest()}  teaser.webp\n" in (tmp_path / "SHA256SUMS").read_text()
    assert "](teaser.webp)" in (tmp_path / "README.md").read_text()
    with Image.open(tmp_path / "teaser.webp") as opened:
        # Four parts below each other, of two layers each: that of numbers would be black.
        assert opened.height > 4 * 96 and 2 * 96 < opened.width < 4 * 96
