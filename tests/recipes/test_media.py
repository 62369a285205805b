"""Films, captions and backgrounds of recipes, and the readers of `verify`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.errors import CharacterError
from specsia_build.films import write_mp4
from specsia_build.npz import encode_named
from specsia_build.recipes.folder import read_parts
from specsia_build.recipes.media import caption, corner, on_canvas, played, rgb
from specsia_build.recipes.recipe import MOST_BYTES, form_of, load_recipe
from tests.clips import clips_config, run_clips, write_figures
from tests.recipes.drawn import clip_frames, disc


def _order(frames: int, least: int, loops: bool) -> list[int]:
    return played(clip_frames("a-b-00", {"color": [disc(8, 3)] * frames}, loops=loops), least)


def test_loops_start_again_and_other_motions_go_to_and_fro() -> None:
    assert _order(3, 8, loops=True) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert _order(4, 10, loops=False) == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3]
    assert _order(2, 5, loops=False) == [0, 1, 0, 1, 0]
    assert _order(5, 3, loops=False) == [0, 1, 2, 3, 4]
    with pytest.raises(CharacterError):
        _order(1, 61, loops=True)


@pytest.mark.parametrize("size", [8, 9])
def test_pictures_are_centred_on_their_canvas(size: int) -> None:
    picture = np.arange(size * size, dtype=np.uint8).reshape(size, size)
    whole = on_canvas(picture, (10, 20), 255)
    row, column = corner(size, (10, 20))
    np.testing.assert_array_equal(whole[row : row + size, column : column + size], picture)
    assert abs(column - (20 - size - column)) <= 1
    assert np.count_nonzero(whole == 255) == 200 - size * size + np.count_nonzero(picture == 255)


def test_damaged_and_large_files_are_problems(tmp_path: Path) -> None:
    grey = np.full((32, 48), 255, np.uint8)
    write_mp4(tmp_path / "a.mp4", iter([rgb(grey)] * 3), 8, lossless=True)
    assert form_of(tmp_path / "a.mp4") == (((32, 48, 3),), 3)
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:200])
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04")
    (tmp_path / "large.npz").write_bytes(encode_named({"points": np.zeros(MOST_BYTES // 8)}))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    for name in ("b.mp4", "b.npz", "large.npz", "object.npy"):
        with pytest.raises(ValueError, match=r"\w"):
            form_of(tmp_path / name)


def test_films_of_drawn_clips_pass_verification(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["anidoc", "flipsketch", "control-video"]
    settings = {"recipes": names, "views": 1, "turntable": False, "patterns": ["walk"], "frames": 9}
    layout, summary = run_clips(tmp_path / "run", clips_config(write_figures(tmp_path / "figures", 1), **settings))
    assert "kept in" not in capsys.readouterr().err
    assert summary.recipes == dict.fromkeys(names, 1)
    for name in names:
        (part,) = read_parts(layout.root / name)
        assert part.facts["drawn"] == 4
        assert list(load_recipe(name).verify(layout.root / name, part)) == []


@pytest.mark.parametrize(
    ("character", "action", "text"),
    [
        ("kaykit_knight", "HumanArmature|Walk", "a kaykit knight character walks"),
        ("quaternius_alien", "AlienArmature|Alien_Clapping", "a quaternius alien character is clapping"),
        ("animal_fox", "AnimalArmature|Idle_2", "an animal fox character stands idle"),
        ("kaykit_mage", "1H_Melee_Attack_Chop", "a kaykit mage character moves: melee attack chop"),
        ("platformer_character", "punch", "a platformer character punches"),
        ("robot", "Take 001|BaseLayer", "a robot character moves"),
        ("robot", "Armature|Jump|BaseLayer", "a robot character jumps"),
        ("walkingRobot_scene", "Walk", "a walking robot character walks"),
        ("cow_animated", "Scene", "a cow character moves: scene"),
        ("scene", "Walk", "a character walks"),
        ("0007", "\u52d5\u4f5c", "a character moves"),
        ("caf\u00e9", "\u00c0_l'eau\nNA", "a cafe character moves: eau na"),
    ],
)
def test_captions_say_in_plain_words_what_the_names_say(character: str, action: str, text: str) -> None:
    assert caption({"character": character, "clip": {"action": action, "origin": "own"}}) == text


def test_captions_of_turntables_and_long_names() -> None:
    still = {"character": "robot", "clip": {"action": "turntable", "origin": ""}}
    assert caption(still) == "a robot character stands still, seen from all around"
    long = {"character": "robot", "clip": {"action": "_".join(["stumbles"] * 200), "origin": "own"}}
    assert len(caption(long).split()) < 20
