"""The skeleton of a figure drawn over its picture, for a person to check."""

import numpy as np
from PIL import Image, ImageDraw

from specsia_build.arrays import Pixels
from specsia_build.rigging.joints import JOINTS, Joints
from specsia_build.rigging.skeleton import PARENTS, UNSURE_JOINT

_COLOURS = {"left": (214, 40, 40, 255), "right": (29, 96, 214, 255)}  # Of the figure's own sides
_MIDDLE = (34, 139, 34, 255)
_PALE = 0.45  # Share of the picture's opacity below the skeleton
_WIDTH, _RADIUS = 0.008, 0.012  # Of bones and joints, in widths of the picture


def draw_joints(picture: Pixels, joints: Joints) -> Pixels:
    """Draw joints and bones over a picture (S, S, 4) uint8 made pale: the figure's left red, its right blue.

    Joints that are not drawn, and those of a figure that is no person, are left out; unsure ones are rings.
    """
    pale = picture.copy()
    pale[..., 3] = np.rint(pale[..., 3] * _PALE).astype(np.uint8)
    if joints.kind != "person":
        return picture
    image = Image.fromarray(pale)
    canvas = ImageDraw.Draw(image)
    side = len(picture)
    width, radius = max(1, round(_WIDTH * side)), _RADIUS * side
    for number, (name, parent) in enumerate(zip(JOINTS, PARENTS, strict=True)):
        if parent >= 0 and joints.confidence[number] and joints.confidence[parent]:
            ends = joints.pixels[[parent, number]].ravel().tolist()
            canvas.line(ends, fill=_colour(name), width=width)
    for number, name in enumerate(JOINTS):
        if joints.confidence[number]:
            x, y = joints.pixels[number].tolist()
            inner = _colour(name) if joints.confidence[number] >= UNSURE_JOINT else (255, 255, 255, 255)
            box = (x - radius, y - radius, x + radius, y + radius)
            canvas.ellipse(box, fill=inner, outline=_colour(name), width=width // 2 + 1)
    return np.array(image)


def _colour(name: str) -> tuple[int, int, int, int]:
    return next((colour for side, colour in _COLOURS.items() if name.startswith(side)), _MIDDLE)
