"""Tell which side of its character a drawing shows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from specsia_build.arrays import Pixels
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.frame import view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.repairing import facing
from specsia_build.repairing.drawing import DrawingSettings, read_drawing
from specsia_build.repairing.facing import DRAWN_SIDES, MIRRORED, choose_facing, facing_chances, summary
from specsia_build.rigging.find import KINDS, Sight
from specsia_build.stages.render import in_frame
from tests.repairing.test_drawing import write_drawing

PEOPLE = ("man_suit", "woman_casual", "man_king")
ON_FOUR_LEGS = ("animal_fox", "animal_alpaca")
UNSEEN = (*PEOPLE, *ON_FOUR_LEGS, "platformer_crab", "dino_trex")


def unseen_views(folder: Path) -> Iterator[tuple[str, str, Pixels]]:
    """Views of characters that the network was not trained on: name, side and picture."""
    entries = {entry.id: entry for entry in open_source(str(folder / "everything.jsonl"), folder).entries}
    for name in UNSEEN:
        mesh, _ = in_frame(read_character(entries[name]), BuildConfig())
        for side, layers in zip(DRAWN_SIDES, FastRenderer().render(mesh, view_cameras(4, 256)), strict=True):
            yield name, side, layers.color


def test_unseen_characters(characters_dir: Path) -> None:
    """What is sure is right, and left and right are told apart; animals on four legs are seldom fronts."""
    for name, side, picture in unseen_views(characters_dir):
        chosen, warnings = choose_facing(picture)
        assert chosen in ("front", side), name
        chances = facing_chances(picture)
        mirrored = facing_chances(np.ascontiguousarray(picture[:, ::-1]))
        assert np.allclose(mirrored, chances[MIRRORED], atol=0.02)
        if name in ON_FOUR_LEGS and side in ("left", "right"):
            assert chosen == side, name
        elif side in ("left", "right"):
            assert chances[DRAWN_SIDES.index(side)] > 0.5, name
        elif side == "front" and name not in ON_FOUR_LEGS:
            assert warnings == (), name


def test_summary_of_known_features() -> None:
    """A feature that is 1 in the figure's upper right quarter, and one that is 2 everywhere around it."""
    shown = np.zeros((128, 128), dtype=bool)
    shown[:64, 64:] = True
    parts = []
    for size in (16, 32, 32):
        features = np.full((size + 2, size + 2, 2), (0, 2), np.float32)
        features[1 : size // 2 + 1, size // 2 + 1 : -1] = (1, 0)
        parts.append(features)
    seen = summary(Sight(shown, *parts)).reshape(3, 4, 2)
    assert np.allclose(seen, [[1.0, 0.0], [1.0, 0.0], [0.5, 0.0], [-0.5, 0.0]])
    line = summary(Sight(np.zeros_like(shown), *parts))
    assert not line.any()


def test_animals_on_four_legs_are_drawn_from_their_side(
    characters_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = next(iter(unseen_views(characters_dir)))[2]
    monkeypatch.setattr(facing, "even_of", lambda _: np.array([0.1, 0.8, 0.05, 0.05]))
    shown = []
    for kind in KINDS:
        monkeypatch.setattr(facing, "kind_chances", lambda _, kind=kind: np.array(KINDS) == kind)
        shown.append(choose_facing(picture)[0])
    assert shown == ["front", "left", "front"]


def test_strangers_drawings_stay_fronts(drawings_dir: Path) -> None:
    for path in sorted(drawings_dir.glob("*.png")):
        if path.stem != "bear-photo":
            assert read_drawing(path, DrawingSettings(64)).facing == "front", path.stem


@pytest.mark.parametrize(
    ("chances", "side", "warned"),
    [
        ([0.9, 0.1, 0, 0], "front", ""),
        ([0.3, 0.6, 0.1, 0], "front", "left"),
        ([0, 0, 0, 1], "right", "front"),
    ],
)
def test_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chances: list[float], side: str, warned: str
) -> None:
    monkeypatch.setattr(facing, "facing_chances", lambda _: np.array(chances))
    file = write_drawing(tmp_path, size=256)
    front = read_drawing(file, DrawingSettings(64))
    assert front.facing == side
    codes = [warning.code for warning in front.warnings]
    assert codes == ["side-unsure"] * bool(warned)
    assert all(warned in warning.sentence for warning in front.warnings)
    stated = read_drawing(file, DrawingSettings(64, facing="back"))
    assert (stated.facing, stated.warnings) == ("back", ())
