"""Drawings as a child makes them, with the places of their joints: figures of strokes, ovals and triangles.

Places are x to the right and y down, about 1 for a figure's height.
"""

from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from specsia_build.arrays import Doubles
from specsia_build.rigging.examples import FRAME, JointPicture, cut_out
from specsia_build.rigging.find import KINDS
from specsia_build.rigging.joints import JOINTS

_FINE = 2  # Pixels drawn for each that is kept, along each side

_Place = tuple[float, float]
_Ink = tuple[int, int, int]


class _Sheet:
    """A transparent sheet with a pen of one width and colour."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.image = Image.new("RGBA", (FRAME * _FINE, FRAME * _FINE))
        self.draw = ImageDraw.Draw(self.image)
        self.rng = rng
        self.ink = _ink(rng, 0.35)
        self.width = float(rng.uniform(0.006, 0.03))
        self.filled = rng.random() < 0.7

    def _pixels(self, places: Any) -> list[_Place]:
        at = (np.asarray(places, np.float64) * 0.62 + (0.5, 0.2)) * FRAME * _FINE
        return [(float(x), float(y)) for x, y in at]

    def limb(self, places: Any, wide: float, colour: _Ink) -> None:
        """A line of joined strokes, filled and with a contour where it is wide."""
        points = self._pixels(places)
        for thick, ink in ((wide + self.width, self.ink), (wide - self.width, colour)):
            pixels = thick * 0.62 * FRAME * _FINE
            if pixels < 1:
                continue
            self.draw.line(points, fill=(*ink, 255), width=round(pixels), joint="curve")
            for x, y in (points[0], points[-1]):
                half = pixels / 2
                self.draw.ellipse((x - half, y - half, x + half, y + half), fill=(*ink, 255))

    def shape(self, places: Any, colour: _Ink) -> None:
        """A closed shape, filled, with a contour."""
        points = self._pixels(places)
        self.draw.polygon(points, fill=(*colour, 255))
        width = max(1, round(self.width * 0.62 * FRAME * _FINE))
        self.draw.line([*points, points[0]], fill=(*self.ink, 255), width=width, joint="curve")

    def oval(self, middle: Any, across: float, down: float, colour: _Ink) -> None:
        turn = np.linspace(0, 2 * np.pi, 40)
        self.shape(np.asarray(middle) + np.stack([across * np.cos(turn), down * np.sin(turn)], 1), colour)

    def colour(self) -> _Ink:
        """A colour to fill with; of some drawings all parts are white."""
        return _ink(self.rng, 1.0) if self.filled else (255, 255, 255)

    def picture(self, joints: Doubles, kind: int) -> JointPicture:
        """The drawing and its joints (22, 2), in this sheet's places."""
        small = self.image.convert("RGBa").resize((FRAME, FRAME), Image.Resampling.BOX).convert("RGBA")
        places = np.full((len(JOINTS), 3), np.nan)
        places[:, :2] = (joints * 0.62 + (0.5, 0.2)) * FRAME
        return cut_out(np.array(small), places, kind)


def _ink(rng: np.random.Generator, light: float) -> _Ink:
    red, green, blue = (255 * rng.random(3) * light).astype(int).tolist()
    return red, green, blue


def drawn_person(rng: np.random.Generator) -> JointPicture:
    """A person of strokes or of simple shapes, with arms and legs in any direction."""
    sheet = _Sheet(rng)
    at = _skeleton(rng)
    skin, cloth = sheet.colour(), sheet.colour()
    trousers = sheet.colour()
    thin = rng.random() < 0.3
    wide = 0.0 if thin else float(rng.uniform(0.03, 0.1))
    large = float(rng.uniform(0.09, 0.24))
    head = at["head"] - (0, large * rng.uniform(0.7, 1.0))
    if rng.random() < 0.4:
        fall = large * float(rng.uniform(0.8, 3.0))
        sheet.oval(head + np.array([0, fall * 0.4]), large * 1.15, large * 0.6 + fall * 0.5, sheet.colour())
    for side in ("left", "right"):
        leg = [at[side + part] for part in ("UpperLeg", "LowerLeg", "Foot")]
        sheet.limb(leg, wide * 1.2, trousers)
        if rng.random() < 0.7:
            sheet.limb([at[side + "Foot"], at[side + "Toes"]], wide, sheet.colour())
    across = at["leftUpperArm"][0] - at["hips"][0]
    if rng.random() < 0.35:
        hem = float(rng.uniform(0.3, 1.1))
        low = at["hips"] + (at["leftFoot"] + at["rightFoot"] - 2 * at["hips"]) / 2 * hem
        out = across * float(rng.uniform(1.0, 3.0))
        sheet.shape(_trapezium(at["neck"], across * 0.4, low, out), cloth)
    elif thin:
        sheet.limb([at["neck"], at["hips"]], 0.0, skin)
    elif rng.random() < 0.4:
        tall = float(at["hips"][1] - at["neck"][1])
        sheet.oval((at["neck"] + at["hips"]) / 2, across * 1.1, 0.6 * tall, cloth)
    else:
        high = (at["rightUpperArm"] + at["leftUpperArm"]) / 2
        low = at["hips"] + np.array([0, wide / 2])
        sheet.shape(_trapezium(high, across, low, across * float(rng.uniform(0.6, 1.2))), cloth)
    sheet.limb([at["neck"], at["head"]], wide * 0.6, skin)
    for side in ("left", "right"):
        shoulder = at["neck"] if thin else at[side + "UpperArm"]
        sleeve = skin if rng.random() < 0.5 else cloth
        sheet.limb([shoulder, at[side + "LowerArm"], at[side + "Hand"]], wide, sleeve)
        if rng.random() < 0.5:
            hand = max(0.02, wide * 0.7)
            sheet.oval(at[side + "Hand"], hand, hand, skin)
    sheet.oval(head, large * float(rng.uniform(0.8, 1.2)), large, skin)
    _face(sheet, head, large)
    return sheet.picture(np.array([at[joint] for joint in JOINTS]), KINDS.index("person"))


def _skeleton(rng: np.random.Generator) -> dict[str, Doubles]:
    """Places of a person's joints, with any proportions."""
    hips = np.array([0.0, rng.uniform(0.5, 0.75)])
    neck = np.array([rng.normal(0, 0.02), hips[1] - rng.uniform(0.15, 0.4)])
    at = {"hips": hips, "neck": neck, "head": neck - (0, rng.uniform(0.01, 0.05))}
    for share, name in ((0.2, "spine"), (0.45, "chest"), (0.7, "upperChest")):
        at[name] = hips + share * (neck - hips)
    half, legs = rng.uniform(0.04, 0.12), rng.uniform(0.02, 0.09)
    reach, stride = rng.uniform(0.07, 0.22), rng.uniform(0.07, 0.25)
    shared = rng.uniform(0, 160)
    for side, out in (("left", 1), ("right", -1)):
        angle = np.deg2rad(shared + rng.normal(0, 12) if rng.random() < 0.6 else rng.uniform(-5, 165))
        bend = angle + np.deg2rad(rng.normal(0, 25) if rng.random() < 0.7 else rng.uniform(-120, 120))
        shoulder = neck + np.array([out * half, rng.uniform(0.0, 0.05)])
        elbow = shoulder + reach * np.array([out * np.sin(angle), np.cos(angle)])
        hand = elbow + reach * np.array([out * np.sin(bend), np.cos(bend)])
        apart = np.deg2rad(rng.normal(6, 8))
        thigh = hips + np.array([out * legs, 0.01])
        knee = thigh + stride * np.array([out * np.sin(apart), np.cos(apart)])
        apart += np.deg2rad(rng.normal(0, 8))
        foot = knee + stride * np.array([out * np.sin(apart), np.cos(apart)])
        toes = foot + np.array([out * rng.uniform(0, 0.06), rng.uniform(0.0, 0.02)])
        parts = (0.4 * shoulder + 0.6 * neck, shoulder, elbow, hand, thigh, knee, foot, toes)
        names = ("Shoulder", "UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot", "Toes")
        at |= {side + name: place for name, place in zip(names, parts, strict=True)}
    return at


def _trapezium(high: Doubles, above: float, low: Doubles, below: float) -> Doubles:
    """Corners (4, 2) around two places, half as wide as `above` and `below` say to each side."""
    right, further = np.array([above, 0.0]), np.array([below, 0.0])
    return np.stack([high - right, high + right, low + further, low - further])


def _face(sheet: _Sheet, head: Doubles, large: float) -> None:
    eye = large * float(sheet.rng.uniform(0.06, 0.2))
    for side in (-1, 1):
        sheet.oval(head + np.array([side * 0.35, -0.1]) * large, eye, eye, (255, 255, 255))
    mouth = head + np.array([[-0.3, 0.35], [0, 0.5], [0.3, 0.35]]) * large
    sheet.limb(mouth, 0.0, sheet.ink)


def drawn_creature(rng: np.random.Generator) -> JointPicture:
    """An animal on four legs from its side, or a figure without limbs: a ghost, a fish or a ball."""
    sheet = _Sheet(rng)
    nothing = np.full((len(JOINTS), 2), np.nan)
    colour = sheet.colour()
    if rng.random() < 0.6:
        wide, low = float(rng.uniform(0.02, 0.08)), float(rng.uniform(0.1, 0.35))
        long, high = float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.08, 0.2))
        out = 1 if rng.random() < 0.5 else -1
        for place in (-0.8, -0.55, 0.55, 0.8):
            top = np.array([place * long, 0.5 + high / 2])
            sheet.limb([top, top + np.array([rng.normal(0, 0.04), low + high / 2])], wide, colour)
        tail = [(-out * long, 0.5), (-out * (long + 0.1), 0.5 - rng.uniform(-0.1, 0.25))]
        sheet.limb(tail, wide * 0.7, colour)
        sheet.oval((0, 0.5), long, high, colour)
        large = float(rng.uniform(0.08, 0.18))
        head = np.array([out * (long + large * 0.4), 0.5 - high - rng.uniform(0, 0.15)])
        sheet.limb([(out * long * 0.8, 0.5), tuple(head)], wide * 1.5, colour)
        for side in (-1, 1):
            ear = head + np.array([side * 0.6, -0.6]) * large
            tip = (side * 0.02, -rng.uniform(0.03, 0.15))
            sheet.shape(ear + np.array([(-0.04, 0.02), (0.04, 0.02), tip]), colour)
        sheet.oval(head, large * float(rng.uniform(0.9, 1.4)), large, colour)
        _face(sheet, head, large)
        return sheet.picture(nothing, KINDS.index("four-legged"))
    across, down = (float(size) for size in rng.uniform(0.15, 0.4, 2))
    if rng.random() < 0.5:
        count = int(rng.integers(2, 7))
        teeth = np.arange(2 * count + 1)
        bottom = np.stack([1 - teeth / count, 1 - 0.2 * (teeth % 2)], axis=1)
        turn = np.linspace(np.pi, 2 * np.pi, 20)
        dome = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        sheet.shape(np.concatenate([dome, bottom]) * (across, down) + (0, 0.5), colour)
    else:
        for (x, y), _ in pairwise(rng.normal(0, 0.3, (int(rng.integers(1, 6)), 2))):
            sheet.limb([(0, 0.5), (x, 0.5 + y)], float(rng.uniform(0.01, 0.1)), colour)
        sheet.oval((0, 0.5), across, down, colour)
    if rng.random() < 0.8:
        _face(sheet, np.array([0, 0.5 - down * 0.2]), min(across, down) * 0.8)
    return sheet.picture(nothing, KINDS.index("other"))
