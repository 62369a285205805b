"""FBX curves go between their keys as the file says, not straight from one to the next."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from specsia_build.animation.motion import poses
from specsia_build.characters.blender.kept import CACHE_SETTING
from specsia_build.characters.blender.rig import read_rig
from tests.characters.blender.fbx import BOX, script

FPS = 10

STEP, STRAIGHT, SLOPES, SMOOTH = 0x2, 0x4, 0x408, 0x2108

Key = tuple[int, float, int, float, float]
"""Frame, value, flags, slope a second behind it and before the next."""

WRITE = (
    BOX
    + """
import array, json
import io_scene_fbx.encode_bin as encode

bpy.context.scene.render.fps = 10
box.animation_data.action = bpy.data.actions.new("go")
for frame in (0, 20):
    box.location = box.rotation_euler = (frame, frame, frame)
    for path in ("location", "rotation_euler"):
        box.keyframe_insert(path, frame=frame)

write = encode.write
SECOND = 46186158000


def with_curves(path, root, version):
    \"\"\"Curves by the property and the axis that they move, (frame, value, flags, slopes) of each key.\"\"\"
    stated, span = json.loads(sys.argv[2]), json.loads(sys.argv[3])
    (objects,) = [group for group in root.elems if group.id == b"Objects"]
    (links,) = [group for group in root.elems if group.id == b"Connections"]
    of = {link.props[1]: (link.props[2], link.props[3][4:].decode()) for link in links.elems if len(link.props) > 3}
    for item in objects.elems:
        if item.id == b"AnimationStack" and span:
            (group,) = [below for below in item.elems if below.id == b"Properties70"]
            for time in group.elems:
                if time.props[0].endswith((b"LocalStart", b"LocalStop")):
                    frame = span[time.props[0].endswith(b"LocalStop")]
                    time.props[-1] = (frame * SECOND // 10).to_bytes(8, "little", signed=True)
        if item.id != b"AnimationCurve":
            continue
        node, axis = of[item.props[0]]
        keys = stated.get(of[node][1] + axis[-1], [(0, 0.0, 4, 0.0, 0.0)])
        item.elems[:] = [below for below in item.elems if not below.id.startswith(b"Key") or below.id == b"KeyVer"]
        frames, values, flags, right, left = zip(*keys)
        for name, kind, found in (
            (b"KeyTime", "int64", [frame * SECOND // 10 for frame in frames]),
            (b"KeyValueFloat", "float32", values),
            (b"KeyAttrFlags", "int32", flags),
            (b"KeyAttrDataFloat", "float32", [n for pair in zip(right, left) for n in (*pair, 0.0, 0.0)]),
            (b"KeyAttrRefCount", "int32", [1] * len(keys)),
        ):
            below = encode.FBXElem(name)
            code = getattr(encode.data_types, f"ARRAY_{kind.upper()}")
            getattr(below, f"add_{kind}_array")(array.array(code, found))
            item.elems.append(below)
    write(path, root, version)


encode.write = with_curves
bpy.ops.export_scene.fbx(filepath=sys.argv[1], bake_anim_use_nla_strips=False, bake_anim_use_all_actions=False)
"""
)


Placed = Callable[..., NDArray[np.float64]]


@pytest.fixture
def placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Placed:
    """What gives the corner at the origin and the one beside it, (T, 2, 3), at each frame of a take of some curves."""
    if importlib.util.find_spec("bpy") is None:
        pytest.skip("needs the bpy package to write an FBX file")
    monkeypatch.setenv(CACHE_SETTING, str(tmp_path / "cache"))

    def made(curves: dict[str, list[Key]], span: tuple[int, int] | None = None) -> NDArray[np.float64]:
        path = tmp_path / "a.fbx"
        command = [sys.executable, "-c", WRITE, str(path), json.dumps(curves), json.dumps(span)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        moving = read_rig(path)
        (motion,) = moving.motions
        found = poses(moving.rig.skeleton, motion, np.append(motion.times(FPS), motion.end))
        return np.array([points[:2] for points in moving.rig.each_vertices(found)], np.float64)

    return made


def test_slopes_steps_and_straight_lines_are_followed_frame_by_frame(placed: Placed) -> None:
    curves = {
        "Lcl TranslationX": [(0, 0.0, SLOPES, 0.0, 0.0), (10, 100.0, SLOPES, 0.0, 0.0)],
        "Lcl TranslationY": [(0, 0.0, STEP, 0.0, 0.0), (10, 100.0, STEP, 0.0, 0.0)],
        "Lcl TranslationZ": [(0, 0.0, STRAIGHT, 0.0, 0.0), (10, 100.0, STRAIGHT, 0.0, 0.0)],
    }
    share = np.linspace(0.0, 1.0, 11)
    x, y, z = np.abs(placed(curves)[:, 0]).T
    assert_allclose(x, share * share * (3 - 2 * share), atol=1e-5)
    heights = sorted([y.tolist(), z.tolist()])
    assert_allclose(heights, [[0.0] * 10 + [1.0], share.tolist()], atol=1e-5)


def test_the_slope_of_a_smooth_key_is_found_by_those_beside_it(placed: Placed) -> None:
    keys = [(0, 0.0, SMOOTH, 0.0, 0.0), (10, 10.0, SMOOTH, 0.0, 0.0), (20, 50.0, SMOOTH, 0.0, 0.0)]
    x = placed({"Lcl TranslationX": keys})[:, 0, 0]
    assert_allclose(x[[0, 5, 10, 15, 20]], [0.0, 0.01875, 0.1, 0.33125, 0.5], atol=1e-5)


def test_a_whole_turn_between_two_keys_is_one(placed: Placed) -> None:
    found = placed({"Lcl RotationY": [(0, 0.0, STRAIGHT, 0.0, 0.0), (20, 360.0, STRAIGHT, 0.0, 0.0)]})
    way = found[:, 1] - found[:, 0]
    assert_allclose(way @ way[0], np.cos(np.linspace(0, 2 * np.pi, 21)), atol=1e-5)


def test_angles_that_leap_to_others_of_the_same_pose_leave_it_as_it_is(placed: Placed) -> None:
    curves = {
        f"Lcl Rotation{axis}": [(0, first, STRAIGHT, 0.0, 0.0), (2, second, STRAIGHT, 0.0, 0.0)]
        for axis, first, second in (("X", 5.0, 185.0), ("Y", 70.0, 110.0), ("Z", 5.0, 185.0))
    }
    found = placed(curves)
    assert_allclose(found - found[:1], 0.0, atol=1e-4)


def test_a_curve_that_begins_late_has_its_first_value_until_then(placed: Placed) -> None:
    late = [(10, 100.0, STRAIGHT, 0.0, 0.0), (20, 100.0, STRAIGHT, 0.0, 0.0)]
    moved = [(0, 0.0, STRAIGHT, 0.0, 0.0), (20, 50.0, STRAIGHT, 0.0, 0.0)]
    found = placed({"Lcl TranslationX": late, "Lcl TranslationY": moved})
    assert_allclose(found[:, 0, 0], 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("span", "expected"),
    [((5, 15), (0.25, 0.75)), ((0, 400), (0.0, 1.0)), ((0, 0), (0.0, 1.0)), ((30, 40), (0.0, 1.0))],
)
def test_a_take_is_the_part_of_its_keys_that_the_file_says(
    placed: Placed, span: tuple[int, int], expected: tuple[float, float]
) -> None:
    x = placed({"Lcl TranslationX": [(0, 0.0, STRAIGHT, 0.0, 0.0), (20, 100.0, STRAIGHT, 0.0, 0.0)]}, span)[:, 0, 0]
    assert_allclose(x, np.linspace(*expected, round(20 * (expected[1] - expected[0])) + 1), atol=1e-5)


@pytest.fixture(scope="module")
def module() -> Any:
    return script("fbx_curves")


def test_a_slope_reaches_as_far_as_is_stated(module: Any) -> None:
    reach = np.array([module.WEIGHTS], np.int32).view(np.float32)[0]
    stated = {
        b"KeyAttrFlags": array("i", [SLOPES | module.WEIGHTED[0] | module.WEIGHTED[1]]),
        b"KeyAttrRefCount": array("i", [2]),
        b"KeyAttrDataFloat": array("f", [0.0, 0.0, reach, 0.0]),
    }
    curve = SimpleNamespace(elems=[SimpleNamespace(id=name, props=[values]) for name, values in stated.items()])
    way = module._Way(curve, np.array([0, 10_000]), np.array([0.0, 1.0]), 10_000)
    s = np.array([0.0, 0.25, 0.5, 1.0])
    shares = 3 * (1 - s) ** 2 * s + 3 * (1 - s) * s**2 + s**3
    assert_allclose(way.at(10_000 * shares), 3 * (1 - s) * s**2 + s**3, atol=1e-6)
