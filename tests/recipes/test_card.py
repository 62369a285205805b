"""What lies beside a recipe's files."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import DatasetCard

from specsia_build.dataset.verify.rows import machine_path
from specsia_build.recipes.card import write_whole
from specsia_build.recipes.frames import Frames
from specsia_build.recipes.recipe import Written

MADE = {"specsia": "1.0", "config": {"source": "heroes"}, "stages": {"draw": 1}, "packages": {"numpy": "2"}}


def _parts() -> list[Written]:
    return [
        Written(i, i, split, (i,), license_, "by | me", {f"{i}/clip.json": (5, "0" * 64)}, {"frames": 2, "left_out": 1})
        for i, split, license_ in (("10", "train", None), ("9", "train", "MIT"), ("8", "test", "MIT"))
    ]


def _card(folder: Path, **more: object) -> str:
    made = {**MADE, "backend": None, "planned": 5, "quarantined": 0, "left_out": 0, **more}
    assert write_whole(folder, Frames(), lambda: iter(_parts()), made)[0] == 3
    return (folder / "README.md").read_text()


def test_the_card_counts_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    text = _card(tmp_path, quarantined=4, left_out=1)
    assert "| train | 2 | 2 | 4 | 2 | 0.0 |" in text
    assert "5 characters were asked for; left out: 4 clips or characters quarantined and 1 clips that the" in text
    assert "and 3 frames that the layout cannot take." in text.replace("\n", " ")
    assert "| MIT | by \\| me | 2 |" in text
    assert "Nobody stated a licence for some characters" in text
    assert "specsia 1.0; stages draw 1; numpy 2." in text
    assert machine_path(text) is None
    data = DatasetCard(text).data.to_dict()
    assert data["license"] == "other"
    assert data["viewer"] is False
    assert (tmp_path / "splits.json").read_text().index('"9"') < (tmp_path / "splits.json").read_text().index('"10"')


def test_the_card_of_reconstructions_says_so(tmp_path: Path) -> None:
    assert "reconstruct" not in _card(tmp_path)
    text = _card(tmp_path, backend="inflate")
    assert "# frames of heroes, reconstructed by inflate" in text
    assert "- `inflate`: inflates the silhouette" in text
