"""BVH files: known channels give known places, damage gives a sentence with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from specsia_build.animation.motion import poses
from specsia_build.characters.bvh import read_bvh
from specsia_build.characters.character import MotionFile
from specsia_build.characters.motions import read_motions
from specsia_build.errors import CharacterError

CHAIN = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Left Arm
  {
    OFFSET 2.0 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 1.0 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.5
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 0 0 9e1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "clip.bvh"
    path.write_bytes(text.encode())
    return path


def at(found: MotionFile, time: float) -> np.ndarray:
    return poses(found.skeleton, found.motions[0], np.array([time])).worlds[0, :, :3, 3]


@pytest.mark.parametrize(
    "text",
    [
        CHAIN,
        CHAIN.replace("\n", "\r\n"),
        CHAIN.replace("\n", "\r"),
        CHAIN.replace("  ", "\t").replace(" ", "\t").replace("Left\tArm", "Left Arm").replace("Frame\tT", "Frame T"),
        CHAIN.replace("Frames:", "Frames :").replace("Frame Time:", "Frame\tTime\t:\t"),
        "\ufeff" + CHAIN.replace("ROOT Hips\n{", "ROOT Hips {").replace("HIERARCHY", "hierarchy"),
        CHAIN.replace("0.5", "5E-1").rstrip("\n"),
    ],
)
def test_a_chain_turns_by_its_channels_however_it_is_written(tmp_path: Path, text: str) -> None:
    found = read_bvh(written(tmp_path, text))
    assert found.skeleton.names == ("Hips", "Left Arm", "")
    assert found.motions[0].name == "clip"
    assert found.motions[0].end == 0.5
    np.testing.assert_allclose(at(found, 0.0), [[1, 2, 3], [3, 2, 3], [4, 2, 3]], atol=1e-9)
    np.testing.assert_allclose(at(found, 0.5), [[1, 2, 3], [1, 4, 3], [1, 4, 2]], atol=1e-9)


def test_channels_turn_in_their_own_order_and_places_stand_for_offsets(tmp_path: Path) -> None:
    text = CHAIN.replace("3 Zrotation Xrotation Yrotation", "3 Yrotation Zrotation Xposition")
    found = read_bvh(written(tmp_path, text.replace("90 0 0 0 0 9e1", "0 0 0 90 90 5")))
    np.testing.assert_allclose(at(found, 0.5), [[1, 2, 3], [6, 2, 3], [6, 3, 3]], atol=1e-9)


def test_the_root_stands_where_the_motion_begins(tmp_path: Path) -> None:
    found = read_motions(written(tmp_path, CHAIN))
    np.testing.assert_allclose(found.skeleton.rest_worlds[0, :3, 3], [1, 2, 3])
    assert (found.up, found.front) == ("+y", "-y")


def test_a_t_pose_before_the_motion_is_not_played(tmp_path: Path) -> None:
    turns = (90, 10, 12, 15, 18)
    rows = "".join(f"1 2 3 {turn} 0 0 {-turn} {turn} 0\n" for turn in turns)
    text = CHAIN.replace("Frames: 2", f"Frames: {len(turns)}")
    found = read_bvh(written(tmp_path, text[: text.index("1 2 3")] + rows))
    assert (found.motions[0].start, found.motions[0].end) == (0.5, 2.0)
    even = rows.replace("90", "8")
    assert read_bvh(written(tmp_path, text[: text.index("1 2 3")] + even)).motions[0].start == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("MOTION\n", ""),
        ("Frames: 2", "Frames: -2"),
        ("Frame Time: 0.5", "Frame Time: nan"),
        ("Frame Time: 0.5", "Frame Time: 0"),
        ("Frames: 2", "Frames: 3"),
        ("1 2 3 90 0 0 0 0 9e1", "1 2 3 90 0 0 0 0"),
        ("9e1", "NaN"),
        ("9e1", "ten"),
        ("OFFSET 1.0 0 0", "OFFSET 1.0 0"),
        ("OFFSET 1.0 0 0", "OFFSET inf 0 0"),
        ("CHANNELS 3", "CHANNELS 4"),
        ("3 Zrotation Xrotation", "3 Zrotation Zrotation"),
        ("}\nMOTION", "MOTION"),
        ("ROOT Hips", "JOINT Hips"),
        ("HIERARCHY", "glTF"),
    ],
)
def test_damage_is_one_sentence(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(CharacterError, match=r"^clip\.bvh"):
        read_motions(written(tmp_path, CHAIN.replace(old, new)))
