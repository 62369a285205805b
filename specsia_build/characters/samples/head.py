"""Head, ears, muzzles, horns and eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.shapes import Array, blob, by, hoop, lathe, loft, section, turned
from specsia_build.characters.samples.traits import Build


@dataclass(frozen=True)
class Skull:
    """The head's surface: a superellipsoid whose lower half is narrower or wider by `jaw`."""

    centre: Array
    radii: Array
    power: float
    jaw: float

    @classmethod
    def of(cls, build: Build) -> Skull:
        return cls(np.array([0.0, 1.8 - build.head[1], 0.0]), np.array(build.head), build.power, build.jaw)

    @property
    def size(self) -> float:
        """The mean radius, which parts of the head are measured in."""
        return float(self.radii.mean())

    def at(self, u: float, v: float, w: float) -> Array:
        """A place given in half widths, half heights and half depths from the centre."""
        return np.asarray(self.centre + self.radii * (u, v, w))

    def sized(self, *lengths: float) -> Array:
        """Lengths in mean radii."""
        return np.asarray(np.array(lengths) * self.size)

    def shell(self, polar: Array, columns: int, scale: float | Array = 1.0) -> Array:
        """Points (R, C, 3) on the surface.

        Args:
            polar: radians from the top, (R, C) or (R, 1).
            columns: around it, from the back.
            scale: of the surface about the centre.
        """
        polar = np.broadcast_to(polar, (len(polar), columns))
        height, share = np.cos(polar), np.where(np.sin(polar) < 1e-9, 0.0, np.sin(polar))
        height, share = np.sign(height) * np.abs(height) ** (2 / self.power), share ** (2 / self.power)
        share = share * (1 - self.jaw * np.maximum(-height, 0.0) ** 1.5)
        flat = section(columns, self.power)
        unit = np.stack([share * flat[:, 0], height, share * flat[:, 1]], axis=2)
        return np.asarray(self.centre + self.radii * unit * scale)

    def front(self, x: float, y: float) -> Array:
        """The place in front at x and y in half widths and heights."""
        share = max(1 - abs(y) ** self.power, 0.0) ** (1 / self.power) * (1 - self.jaw * max(-y, 0.0) ** 1.5)
        depth = share * max(1 - (abs(x) / max(share, 1e-6)) ** self.power, 0.0) ** (1 / self.power)
        return self.at(x, y, depth)


def add_head(body: Body, skull: Skull) -> None:
    """The skull with what grows on it, but for hair."""
    traits, kind = body.traits, body.traits.kind
    polar = np.linspace(0, np.pi, 17)[:, None]
    body.add("head", skull.shell(polar, 29), "head", detail=2.0)
    if kind.ears and not (traits.hat in ("hood", "knight") and kind.ears == "human"):
        _ears(body, skull, kind.ears)
    if kind.muzzle:
        _muzzle(body, skull, kind.muzzle)
    if kind.crown and not traits.hat:
        _crown(body, skull, kind.crown)
    nose = body.chance.pick("dot", "bump", "wedge", "long", weights=(2, 4, 2, 0.7))
    if not kind.muzzle and kind.hair > 0.5 and nose != "dot":
        root, (wide, high, deep) = skull.front(0, -0.12), {
            "bump": (0.09, 0.08, 0.1), "wedge": (0.07, 0.15, 0.12), "long": (0.09, 0.13, 0.24),
        }[nose]  # fmt: skip
        body.add(
            "nose" if nose == "bump" and body.chance.true(0.3) else "skin",
            blob(root, skull.sized(wide, high, deep)),
            "head",
        )
    if traits.glasses:
        _glasses(body, skull)


def _ears(body: Body, skull: Skull, kind: str) -> None:
    at, sized, size = skull.at, skull.sized, skull.size
    bones = ("Ear",) if kind in MOVING_EARS else ("head",)

    def cone(root: Array, *steps: tuple[float, float, float], radii: tuple[float, ...], flat: float = 0.55) -> None:
        path = [root, *(root + sized(*step) for step in steps)]
        body.both("ear", loft(path, [(r * size, r * size * flat) for r in radii], 7, 11), *bones)

    if kind == "human":
        body.both("ear", blob(at(0.98, -0.1, -0.05), sized(0.09, 0.19, 0.14), turn=turned(z_deg=-12)), *bones)
    elif kind == "elf":
        cone(at(0.9, -0.08, -0.02), (0.55, 0.32, -0.12), radii=(0.16, 0.05))
    elif kind == "cat":
        cone(at(0.56, 0.6, 0.0), (0.2, 0.62, -0.02), radii=(0.34, 0.05), flat=0.5)
    elif kind == "bunny":
        cone(at(0.36, 0.8, -0.05), (0.08, 0.6, -0.06), (0.2, 1.05, -0.08), radii=(0.14, 0.21, 0.1), flat=0.5)
    elif kind == "round":
        body.both("ear", blob(at(0.7, 0.78, -0.05), sized(0.3, 0.3, 0.15)), *bones)
    elif kind == "dish":
        body.both("ear", blob(at(0.95, 0.75, -0.08), sized(0.46, 0.48, 0.13), turn=turned(y_deg=12)), *bones)
    elif kind == "floppy":
        cone(at(0.75, 0.66, -0.05), (0.3, 0.02, 0), (0.42, -0.75, 0.05), radii=(0.16, 0.22, 0.2))
    elif kind == "fold":
        cone(at(0.55, 0.72, 0.05), (0.16, 0.26, 0.05), (0.26, 0.1, 0.32), radii=(0.2, 0.18, 0.07))
    elif kind == "side":
        cone(at(0.82, 0.32, -0.05), (0.34, 0.08, 0), (0.62, -0.06, 0), radii=(0.1, 0.19, 0.06))
    elif kind == "bolts":
        cap = lathe(
            at(1.0, -0.02, 0), [(0.26 * size, 0), (0.2 * size, 0.14 * size)], turn=turned(z_deg=-90), columns=13
        )
        body.both("joint", cap, *bones)
    elif kind == "fin":
        for lift in (0.55, 0.15, -0.2):
            cone(at(0.85, 0.1, -0.1), (0.5, lift, -0.1), radii=(0.16, 0.04))


MOVING_EARS = ("elf", "cat", "bunny", "dish", "floppy", "fold", "side", "fin")
"""Kinds of ears that have a joint."""


def _muzzle(body: Body, skull: Skull, kind: str) -> None:
    sized, root, size = skull.sized, skull.front(0, -0.36), skull.size
    nose, lift = (0.09, 0.06, 0.06), 0.12
    if kind == "small":
        body.both("muzzle", blob(root + sized(0.1, 0, 0), sized(0.17, 0.14, 0.16)), "head")
        tip = 0.14
    elif kind in ("wide", "snout"):
        wide, deep = (0.36, 0.24) if kind == "wide" else (0.27, 0.3)
        shape = blob(root, sized(wide, 0.24, deep), 2.4) if kind == "wide" else lathe(
            root, [(0.27 * size, -0.1 * size), (0.24 * size, 0.28 * size)], (1.15, 0.9), turned(x_deg=90))  # fmt: skip
        body.add("muzzle", shape, "head")
        tip, nose = deep, (0.13, 0.09, 0.06)
        if kind == "snout":
            body.both("dark", blob(root + sized(0.09, 0.02, 0.28), sized(0.045, 0.07, 0.02)), "head")
            return
    elif kind in ("long", "point"):
        tip = body.chance.between(0.36, 0.55) if kind == "long" else 0.42
        ends = ((0.32, 0.26), (0.24, 0.2)) if kind == "long" else ((0.3, 0.24), (0.09, 0.08))
        radii = [(a * size, b * size) for a, b in ends]
        path = [root - sized(0, 0, 0.15), root + sized(0, -0.06, tip)]
        body.add("muzzle", loft(path, radii, 6, 15, front=(0, 1, 0)), "head", detail=1.5)
        lift = 0.1
    else:
        wide, high, tip = 0.2, 0.13, body.chance.between(0.3, 0.55)
        path = [root + sized(0, 0.12, -0.1), root + sized(0, 0.02, tip)]
        radii = [(wide * size, high * size), (0.04 * size, 0.03 * size)]
        body.add("beak", loft(path, radii, 6, 13, front=(0, 1, 0)), "head")
        return
    body.add("noseink", blob(root + sized(0, lift, tip), sized(*nose)), "head")


def _crown(body: Body, skull: Skull, kind: str) -> None:
    at, sized, size = skull.at, skull.sized, skull.size

    def stalk(look: str, points: list[Array], radii: list[float]) -> None:
        body.both(look, loft(points, [r * size for r in radii], 8, 9), "head")

    if kind == "horns":
        root = at(0.5, 0.8, 0)
        bend, high = body.chance.between(0.0, 0.35), body.chance.between(0.35, 0.75)
        stalk(
            "horn",
            [root, root + sized(0.25, 0.6 * high, 0.05), root + sized(0.35 - bend, high, 0.12)],
            [0.14, 0.1, 0.02],
        )
    elif kind == "antlers":
        root = at(0.35, 0.85, 0)
        stalk("horn", [root, root + sized(0.3, 0.4, 0), root + sized(0.35, 0.85, 0)], [0.08, 0.07, 0.04])
        stalk("horn", [root + sized(0.26, 0.36, 0), root + sized(0.62, 0.6, 0.05)], [0.06, 0.03])
    elif kind in ("antenna", "antennae"):
        for x in (0.0,) if kind == "antenna" else (0.35,):
            root, tip = at(x, 0.92, 0), at(1.6 * x, 0.92, 0) + sized(0, 0.5, 0)
            add = body.add if x == 0 else body.both
            add("joint", loft([root, tip], [0.05 * size, 0.04 * size], 0, 9), "head")
            add("accent", blob(tip, sized(0.13, 0.13, 0.13)), "head")
    elif kind == "mane":
        bumps = 1 + 0.07 * np.cos(np.linspace(0, 24 * np.pi, 49))[None, :, None]
        ring = skull.shell(np.linspace(0, np.pi, 15)[:, None], 49, np.array([1.28, 1.22, 0.8]))
        body.add("mane", skull.centre + (ring - skull.centre) * bumps - sized(0, 0, 0.22), "head")
    elif kind == "eyebumps":
        body.both("head", blob(at(0.5, 0.86, 0.25), sized(0.32, 0.3, 0.3)), "head")
    elif kind == "tuft":
        for k, lean in enumerate((-0.25, 0.05, 0.3)):
            root = at(0, 0.9, 0)
            tip = root + sized(lean, 0.4 - 0.06 * k, -0.1)
            body.add("tip", loft([root, tip], [0.12 * size, 0.03 * size], 4, 9), "head")


def _glasses(body: Body, skull: Skull) -> None:
    radius, thick = 0.27 * skull.size, 0.035 * skull.size
    place = skull.front(0.42, 0.02) + by(0, 0, 0.05 * skull.size)
    inner = place - by(0.9 * radius, 0, 0)
    body.both("dark", hoop(place, (radius, radius), (thick, thick), turned(90)), "head")
    body.both("dark", loft([place + by(0.9 * radius, 0, 0), skull.at(1.03, 0.07, -0.1)], [thick] * 2, 0, 7), "head")
    body.add("dark", loft([inner, inner * (-1, 1, 1)], [thick] * 2, 0, 7), "head")
