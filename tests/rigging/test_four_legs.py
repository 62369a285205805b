"""Animals on four legs that are drawn from their side."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specsia_build.animation.motion import poses
from specsia_build.frame import Camera, normalise
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, concatenate
from specsia_build.repairing.drawing import DrawingSettings, read_drawing
from specsia_build.repairing.moving import mention_side, moving, rig_of
from specsia_build.repairing.reconstruction import read_single, reconstruct
from specsia_build.rigging.file import joints_json
from specsia_build.rigging.four_legs import rig_animal, shape_of
from specsia_build.rigging.joints import Joints
from specsia_build.rigging.webs import without_webs
from specsia_build.warning import Warning
from tests.rigging.figures import box
from tests.rigging.test_skinning import on_grid

FEET = [side + group + "Foot" for group in ("Hind", "Front") for side in ("left", "right")]
BODY = ((0.0, 0.0, 0.05), (0.6, 0.16, 0.2))
HEAD = ((-0.34, 0.0, 0.2), (0.16, 0.1, 0.2))
UNSEEN = np.zeros((22, 2)), np.zeros(22), np.zeros(22)  # Joints of which none is drawn
TAIL = ((0.42, 0.0, 0.1), (0.24, 0.04, 0.04))


def animal(*legs: float, ahead: int = 1) -> Mesh:
    """Boxes for body, head, tail and legs at places along it; its head is at -x with `ahead` 1."""
    parts = [BODY, HEAD, TAIL, *(((x, 0.0, -0.2), (0.06, 0.1, 0.4)) for x in legs)]
    return concatenate([on_grid(box((ahead * x, y, z), size)) for (x, y, z), size in parts])


@pytest.mark.parametrize("facing", ["left", "right"])
@pytest.mark.parametrize("legs", [(-0.24, 0.24), (-0.28, -0.16, 0.16, 0.28)])
def test_each_leg_steps_on_the_ground(facing: str, legs: tuple[float, ...]) -> None:
    mesh = animal(*legs, ahead=1 if facing == "left" else -1)
    rigged = rig_animal(mesh, facing)
    assert rigged is not None
    whole, own = rigged
    rig, names = own.rig, own.rig.skeleton.names
    assert len(whole.vertices) == len(rig.points) and (len(whole.vertices) > len(mesh.vertices)) == (
        len(legs) == 2
    )
    places = dict(zip(names, rig.skeleton.rest_worlds[:, :3, 3], strict=True))
    forward = places["chest"] - places["hips"]
    assert (forward[0] < 0) == (facing == "left") and places["tailEnd"][0] * forward[0] < 0
    assert (places["head"] - places["chest"]) @ forward > 0 and places["head"][2] > places["chest"][2]
    # The drawn side is seen from -Y.
    near, far = (facing, "right" if facing == "left" else "left")
    assert places[f"{near}FrontFoot"][1] <= places[f"{far}FrontFoot"][1]
    walk = next(motion for motion in own.motions if motion.name == "walk")
    track = poses(rig.skeleton, walk, np.linspace(walk.start, walk.end, 9))
    feet = track.worlds[..., :3, 3][:, [names.index(foot) for foot in FEET]]
    assert np.ptp(feet[..., 0], axis=0).min() > 0.1 and np.ptp(feet[..., 2], axis=0).min() > 0.02
    ground = mesh.bounds()[0][2]
    for vertices in rig.each_vertices(track):
        assert abs(vertices[whole.used, 2].min() - ground) < 0.04
    np.testing.assert_allclose(track.worlds[0], track.worlds[-1], atol=1e-6)
    shank = whole.used & (whole.vertices[:, 2] < -0.3)
    assert rig.weights[shank].max(axis=1).min() > 0.9
    # Both legs of a pair swing about one place, and no face is between them below the body.
    middles = feet[..., 0].mean(axis=0).reshape(2, 2)
    assert np.abs(np.diff(middles)).max() < 0.03
    kept = without_webs(whole, own)
    bones = np.array(names)[rig.slots[:, 0]][kept.faces]
    for group in ("Hind", "Front"):
        sides = [np.char.startswith(bones, side + group) for side in ("left", "right")]
        low = ~np.char.endswith(bones, "Upper")
        assert not ((sides[0] & low).any(axis=1) & sides[1].any(axis=1)).any()
        assert not ((sides[1] & low).any(axis=1) & sides[0].any(axis=1)).any()


def test_legs_that_hide_others_are_not_doubled() -> None:
    legs = [((x, y, -0.2), (0.06, 0.04, 0.4)) for x in (-0.24, 0.24) for y in (-0.05, 0.05)]
    mesh = concatenate([on_grid(box(place, size)) for place, size in (BODY, HEAD, TAIL, *legs)])
    rigged = rig_animal(mesh, "left")
    assert rigged is not None and len(rigged[0].vertices) == len(mesh.vertices)
    rig, names = rigged[1].rig, rigged[1].rig.skeleton.names
    # The drawn side is seen from -Y, and the head is at -X.
    for side, is_side in (("left", mesh.vertices[:, 1] < 0), ("right", mesh.vertices[:, 1] > 0)):
        for group, is_group in (("Front", mesh.vertices[:, 0] < 0), ("Hind", mesh.vertices[:, 0] > 0)):
            shank = (mesh.vertices[:, 2] < -0.3) & is_side & is_group
            own = [names.index(side + group + part) for part in ("Upper", "Lower")]
            weights = np.zeros((len(mesh.vertices), len(names)))
            np.add.at(weights, (np.arange(len(weights))[:, None], rig.slots), rig.weights)
            assert shank.any() and weights[shank][:, own].sum(axis=1).min() > 0.9


def test_what_shows_no_four_legs_gets_none() -> None:
    blob = on_grid(box((0.0, 0.0, 0.0), (0.6, 0.2, 0.4)))
    assert rig_animal(blob, "left") is None
    assert rig_animal(animal(0.24), "left") is None
    assert shape_of(np.zeros((100, 100), np.bool_)) is None


def drawn_animal(*legs: int, short: int = 40) -> np.ndarray:
    """A silhouette that looks to higher columns: a trunk, a head, and legs that begin at these columns."""
    solid = np.zeros((100, 100), np.bool_)
    solid[short : short + 20, 10:80] = solid[short + 10 : short + 40, 70:90] = True
    for begin in legs:
        solid[:short, begin : begin + 6] = True
    return solid


def feet(solid: np.ndarray) -> list[list[float]]:
    """Sorted columns of the hind and of the front feet."""
    shape = shape_of(solid)
    assert shape is not None
    return [sorted(legs[:, 0].tolist()) for legs in shape.legs]


def test_legs_are_found_at_their_feet() -> None:
    assert feet(drawn_animal(12, 24, 60, 72)) == [[14.5, 26.5], [62.5, 74.5]]
    # Striding legs may stand as far from each other as from the other pair, and legs may be short.
    assert feet(drawn_animal(10, 32, 54, 74)) == [[12.5, 34.5], [56.5, 76.5]]
    assert feet(drawn_animal(12, 72, short=5)) == [[14.5], [74.5]]
    # Thighs that hang low leave less room than the belly does, though their feet stand wide.
    thighs = drawn_animal(12, 44, 72)
    thighs[10:40, 12:48] = True
    assert feet(thighs) == [[14.5, 46.5], [74.5]]
    # Two legs that are one surface down to the feet count as one.
    joined = drawn_animal(12, 24, 72)
    joined[3:40, 12:36] = True
    shape = shape_of(joined)
    assert shape is not None and shape.legs[0].tolist() == [[20.5, 23.5]]
    # A head may be close to the body.
    close = drawn_animal(12, 72)
    close[:, 80:] = close[61:] = False
    assert feet(close) == [[14.5], [74.5]]
    # More than two feet on one side cannot be legs.
    assert shape_of(drawn_animal(10, 20, 30, 42, 54, 66)) is None


def test_a_horse_walks_where_its_side_is_sure(characters_dir: Path, tmp_path: Path) -> None:
    mesh = read_single(characters_dir / "animated" / "animal_horse.glb").character.mesh
    camera = Camera(0.0, 256)
    turned = mesh.rotated(Camera(90.0, 256).turn())
    turned = turned.with_vertices(normalise(turned.vertices, [camera], 8).apply(turned.vertices))
    Image.fromarray(next(FastRenderer().render(turned, [camera], "unlit")).color).save(tmp_path / "horse.png")
    front = read_drawing(tmp_path / "horse.png", DrawingSettings(256))
    placed = reconstruct(front, "relief", 4)
    rigged = rig_of(placed, front.shrunk(placed.fit))
    assert front.facing == "left" and not rigged.limbs
    film = moving(rigged, ["walk", "turn"])
    masks = [frame[0][..., 3] > 127 for frame in film.frames(8, 128, 6.0)]
    assert len(masks) == 8
    # Where the network is not sure that it is an animal, a corrected file is.
    size = front.place.size if front.place else (0, 0)
    joints = tmp_path / "joints.json"
    joints.write_bytes(joints_json(Joints(*UNSEEN, "four-legged", 0.5), size))
    assert "walk" in [motion.name for motion in rig_of(placed, front.shrunk(placed.fit), joints).own.motions]
    # From the front, nobody knows its legs.
    seen = replace(front, facing="front", warnings=()).shrunk(placed.fit)
    still = rig_of(placed, seen)
    assert "walk" not in [motion.name for motion in still.own.motions]
    codes = [warning.code for warning in mention_side(still, seen).own.warnings]
    assert codes[0] == "side-unsure" and mention_side(rigged, front) is rigged
    # Once is enough.
    said = replace(seen, warnings=(Warning("side-unsure", "", "horse"),))
    assert mention_side(still, said) is still
