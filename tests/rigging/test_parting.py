"""Legs that touch are parted where a line is drawn between them, or as boots, and not in a dress."""

import numpy as np
import pytest

from specsia_build.backends.base import Context
from specsia_build.backends.registry import load_backend
from specsia_build.rigging.joints import JOINTS, Joints
from specsia_build.rigging.skeleton import rig_figure
from specsia_build.rigging.webs import without_webs
from tests.backends.drawings import Image, disc, limb, painted, pixels

SIZE = 256
AT = {
    "hips": (0.5, 0.5),
    "spine": (0.5, 0.44),
    "chest": (0.5, 0.38),
    "upperChest": (0.5, 0.32),
    "neck": (0.5, 0.28),
    "head": (0.5, 0.24),
}
SIDE = {
    "Shoulder": (0.03, 0.31),
    "UpperArm": (0.08, 0.32),
    "LowerArm": (0.16, 0.36),
    "Hand": (0.24, 0.4),
    "UpperLeg": (0.05, 0.54),
    "LowerLeg": (0.05, 0.72),
    "Foot": (0.05, 0.88),
    "Toes": (0.05, 0.92),
}


def person(legs: str) -> Image:
    """A person with arms apart, and both legs one area: plain, with a line, or apart above boots."""
    columns, rows = pixels(SIZE)
    depth = np.maximum(disc(SIZE, 0.5, 0.18, 0.09), limb(SIZE, (0.5, 0.25), (0.5, 0.5), 0.1))
    for way in (-1, 1):
        depth = np.maximum(depth, limb(SIZE, (0.5 + way * 0.08, 0.32), (0.5 + way * 0.24, 0.4), 0.03))
    both = np.minimum.reduce([0.1 - np.abs(columns - 0.5), rows - 0.48, 0.93 - rows])
    if legs == "boots":
        both = np.where((np.abs(columns - 0.5) < 0.02) & (rows > 0.56) & (rows < 0.86), -0.02, both)
    is_line = (np.abs(columns - 0.5) < 0.006) & (rows > 0.6) & (legs == "line")
    return painted(np.maximum(depth, both), np.where(is_line[..., None], 20, (60, 90, 200)))


def joints() -> Joints:
    places = dict(AT)
    for part, (away, row) in SIDE.items():
        places |= {"left" + part: (0.5 + away, row), "right" + part: (0.5 - away, row)}
    at = np.array([places[name] for name in JOINTS]) * SIZE
    return Joints(at, np.full(len(JOINTS), 0.5), np.ones(len(JOINTS)))


@pytest.mark.parametrize(("legs", "are_parted"), [("plain", False), ("line", True), ("boots", True)])
def test_touching_legs(legs: str, are_parted: bool) -> None:
    drawing = person(legs)
    mesh = load_backend("relief").reconstruct(drawing, Context("7", 1))
    moving = rig_figure(mesh, joints(), drawing)
    cut = without_webs(mesh, moving)
    names = np.array(["", *JOINTS])[moving.rig.slots[:, 0]]
    is_low = np.char.endswith(names, "LowerLeg") | np.char.endswith(names, "Foot")
    left, right = (is_low & np.char.startswith(names, side) for side in ("left", "right"))
    across = left[cut.faces].any(axis=1) & right[cut.faces].any(axis=1)
    assert left.any() and right.any() and across.any() != are_parted
    # Each of the parted legs lies on its own side.
    if legs == "line":
        assert mesh.vertices[left, 0].min() > mesh.vertices[right, 0].max()
