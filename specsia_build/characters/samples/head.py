"""Head, ears, muzzles and horns as primitives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.solid import Solid, axes_along, by, turned
from specsia_build.characters.samples.traits import Build

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Skull:
    """The head's ellipsoid: places on it are given in half widths, half heights and half depths from its centre.

    `power` is that of `Build.head_power`.
    """

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    power: float = 2.0

    def at(self, u: float, v: float, w: float) -> Array:
        return np.array(self.centre) + np.array(self.radii) * (u, v, w)

    @property
    def size(self) -> float:
        """A length of this head to measure its parts with: the mean radius."""
        return float(sum(self.radii) / 3)


def skull_of(build: Build) -> Skull:
    """Where the head sits: its top at 1.8."""
    return Skull((0.0, 1.8 - build.head[1], 0.0), build.head, build.head_power)


def _sides(build_one: Callable[[int], None]) -> None:
    build_one(1)
    build_one(-1)


def _human_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    solid.blob(Part.EAR, skull.at(side * 1.0, -0.1, -0.02), (0.08 * s, 0.19 * s, 0.13 * s), 0.02,
               axes=turned(z_deg=-side * 12))  # fmt: skip


def _elf_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root = skull.at(side * 0.9, -0.08, -0.02)
    solid.limb(Part.EAR, root, root + by(side * 0.55 * s, 0.32 * s, -0.12 * s), (0.16 * s, 0.05 * s), 0.02, (1.0, 0.55))


def _cat_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root = skull.at(side * 0.56, 0.62, 0.0)
    solid.limb(Part.EAR, root, root + by(side * 0.2 * s, 0.56 * s, -0.02 * s), (0.3 * s, 0.06 * s), 0.03, (1.0, 0.5))


def _bunny_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root, mid = skull.at(side * 0.36, 0.82, -0.05), skull.at(side * 0.46, 1.4, -0.1)
    solid.chain(
        Part.EAR, (root, mid, mid + by(side * 0.12 * s, 0.42 * s, 0)), (0.14 * s, 0.2 * s, 0.13 * s), 0.03, (1.0, 0.55)
    )


def _round_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    solid.blob(Part.EAR, skull.at(side * 0.7, 0.78, -0.05), (0.28 * s, 0.28 * s, 0.14 * s), 0.02)


def _dish_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    solid.blob(Part.EAR, skull.at(side * 0.92, 0.78, -0.08), (0.44 * s, 0.46 * s, 0.12 * s), 0.02,
               axes=turned(y_deg=side * 12))  # fmt: skip


def _fluffy_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    solid.blob(Part.EAR, skull.at(side * 1.02, 0.42, -0.05), (0.42 * s, 0.42 * s, 0.18 * s), 0.03)
    for k in range(3):
        solid.blob(
            Part.EAR, skull.at(side * (1.22 + 0.1 * k), 0.1 + 0.26 * k, -0.05), (0.17 * s, 0.17 * s, 0.12 * s), 0.04
        )


def _floppy_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    top, low = skull.at(side * 0.78, 0.62, -0.05), skull.at(side * 1.14, -0.12, 0.0)
    solid.chain(
        Part.EAR, (top, skull.at(side * 1.04, 0.5, -0.05), low), (0.13 * s, 0.17 * s, 0.22 * s), 0.03, (0.9, 0.6)
    )


def _fold_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root = skull.at(side * 0.55, 0.74, 0.05)
    solid.chain(
        Part.EAR, (root, root + by(side * 0.16 * s, 0.24 * s, 0.05 * s), root + by(side * 0.26 * s, 0.1 * s, 0.3 * s)),
        (0.2 * s, 0.16 * s, 0.07 * s), 0.03, (1.0, 0.55),
    )  # fmt: skip


def _side_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root = skull.at(side * 0.82, 0.32, -0.05)
    solid.chain(
        Part.EAR, (root, root + by(side * 0.34 * s, 0.08 * s, 0), root + by(side * 0.6 * s, -0.06 * s, 0)),
        (0.1 * s, 0.18 * s, 0.07 * s), 0.03, (1.0, 0.5),
    )  # fmt: skip


def _fan_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    solid.blob(Part.EAR, skull.at(side * 1.38, 0.02, -0.12), (0.62 * s, 0.72 * s, 0.11 * s), 0.03,
               axes=turned(y_deg=side * 18, z_deg=side * 14))  # fmt: skip


def _tuft_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root = skull.at(side * 0.58, 0.68, 0.05)
    solid.limb(Part.EAR, root, root + by(side * 0.32 * s, 0.4 * s, 0), (0.2 * s, 0.045 * s), 0.05, (1.0, 0.6))


def _bolt_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    solid.frustum(Part.EAR, skull.at(side * 1.0, -0.02, 0), 0.08 * s, (0.24 * s, 0.2 * s), 0.03, 0.008,
                  axes=axes_along((side, 0, 0)))  # fmt: skip


def _fin_ear(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    root = skull.at(side * 0.85, 0.1, -0.1)
    for k, lift in enumerate((0.5, 0.12, -0.22)):
        tip = root + by(side * (0.5 - 0.06 * k) * s, lift * s, -0.08 * s)
        solid.limb(Part.EAR, root, tip, (0.16 * s, 0.05 * s), 0.02, (1.0, 0.5))


_EARS = {
    "human": _human_ear, "elf": _elf_ear, "cat": _cat_ear, "bunny": _bunny_ear, "round": _round_ear, "dish": _dish_ear,
    "fluffy": _fluffy_ear, "floppy": _floppy_ear, "fold": _fold_ear, "side": _side_ear, "fan": _fan_ear,
    "tuft": _tuft_ear, "bolts": _bolt_ear, "fin": _fin_ear,
}  # fmt: skip


def _muzzle(solid: Solid, skull: Skull, kind: str) -> None:
    s, centre = skull.size, skull.at(0, -0.36, 0.82)
    if kind == "small":
        for side in (1, -1):
            solid.blob(Part.MUZZLE, centre + by(side * 0.11 * s, 0, 0), (0.18 * s, 0.15 * s, 0.22 * s), 0.03)
        solid.blob(Part.NOSE, centre + by(0, 0.1 * s, 0.2 * s), (0.08 * s, 0.055 * s, 0.06 * s), 0.006)
    elif kind == "wide":
        solid.blob(Part.MUZZLE, centre, (0.42 * s, 0.3 * s, 0.34 * s), 0.04)
        solid.blob(Part.NOSE, centre + by(0, 0.16 * s, 0.3 * s), (0.14 * s, 0.1 * s, 0.08 * s), 0.006)
    elif kind == "long":
        solid.blob(Part.MUZZLE, centre + by(0, 0, 0.1 * s), (0.38 * s, 0.28 * s, 0.52 * s), 0.06, 2.3)
        solid.blob(Part.NOSE, centre + by(0, 0.17 * s, 0.54 * s), (0.15 * s, 0.1 * s, 0.1 * s), 0.006)
    elif kind == "point":
        solid.limb(
            Part.MUZZLE,
            centre - by(0, 0, 0.2 * s),
            centre + by(0, -0.02 * s, 0.42 * s),
            (0.34 * s, 0.1 * s),
            0.06,
            (1.0, 0.8),
        )
        solid.blob(Part.NOSE, centre + by(0, 0.03 * s, 0.5 * s), (0.1 * s, 0.08 * s, 0.08 * s), 0.006)
    elif kind == "snout":
        solid.frustum(Part.MUZZLE, centre + by(0, 0.06 * s, 0.08 * s), 0.16 * s, (0.3 * s, 0.26 * s),
                      0.04, 0.03, (1.0, 0.8),
                      axes_along((0, 0, 1), (0, 1, 0)))  # fmt: skip
    elif kind == "bignose":
        solid.blob(Part.NOSE, centre + by(0, 0.22 * s, 0.12 * s), (0.16 * s, 0.26 * s, 0.16 * s), 0.01)
    elif kind == "trunk":
        path = [
            centre + np.array(p) * s
            for p in ((0, 0.25, -0.1), (0, 0.05, 0.32), (0, -0.4, 0.42), (0, -0.62, 0.62), (0, -0.52, 0.8))
        ]
        solid.chain(Part.MUZZLE, path, [r * s for r in (0.24, 0.2, 0.16, 0.13, 0.12)], 0.05)
    elif kind == "beak":
        solid.limb(
            Part.BEAK,
            centre + by(0, 0.06 * s, -0.1 * s),
            centre + by(0, -0.02 * s, 0.34 * s),
            (0.25 * s, 0.07 * s),
            0.01,
            (1.1, 0.7),
        )


def _crown(solid: Solid, skull: Skull, kind: str) -> None:
    s = skull.size
    if kind == "mane":
        for k in range(14):
            angle = 2 * np.pi * k / 14
            u, v = 0.98 * np.sin(angle), 0.98 * np.cos(angle)
            solid.blob(Part.MANE, skull.at(u, v, -0.15), (0.38 * s, 0.38 * s, 0.36 * s), 0.05)
        solid.blob(
            Part.MANE, skull.at(0, 0, -0.5), (skull.radii[0] * 1.12, skull.radii[1] * 1.12, skull.radii[2] * 0.8), 0.05
        )
    for side in (1, -1):
        if kind == "horns":
            root = skull.at(side * 0.5, 0.78, 0.1)
            points = (root, root + by(side * 0.22 * s, 0.2 * s, 0), root + by(side * 0.24 * s, 0.5 * s, 0.04 * s))
            solid.chain(Part.HORN, points, (0.14 * s, 0.11 * s, 0.05 * s), 0.01)
        elif kind == "antlers":
            root = skull.at(side * 0.38, 0.82, 0.0)
            points = (root, root + by(side * 0.16 * s, 0.36 * s, 0), root + by(side * 0.4 * s, 0.72 * s, 0))
            solid.chain(Part.HORN, points, (0.075 * s, 0.07 * s, 0.055 * s), 0.01)
            solid.limb(
                Part.HORN, points[1], points[1] + by(side * 0.34 * s, 0.06 * s, 0.03 * s), (0.065 * s, 0.05 * s), 0.01
            )
        elif kind == "antennae":
            root = skull.at(side * 0.4, 0.84, 0.0)
            tip = root + by(side * 0.2 * s, 0.5 * s, 0.05 * s)
            solid.limb(Part.HORN, root, tip, (0.06 * s, 0.055 * s), 0.02)
            solid.blob(Part.BADGE, tip, (0.13 * s, 0.13 * s, 0.13 * s), 0.005)
        elif kind == "eyebumps":
            solid.blob(Part.HEAD, skull.at(side * 0.52, 0.72, 0.3), (0.36 * s, 0.36 * s, 0.34 * s), 0.04)
    if kind == "antenna":
        root = skull.at(0, 0.95, 0)
        solid.limb(Part.HORN, root, root + by(0, 0.34 * s, 0), (0.07 * s, 0.055 * s), 0.01)
        solid.blob(Part.BADGE, root + by(0, 0.4 * s, 0), (0.13 * s, 0.13 * s, 0.13 * s), 0.005)
    elif kind == "tuft":
        for lean in (-0.2, 0.02, 0.24):
            root = skull.at(0, 0.9, 0.05)
            solid.limb(Part.MANE, root, root + by(lean * s, 0.36 * s, -0.08 * s), (0.1 * s, 0.045 * s), 0.02)


def add_head(solid: Solid, skull: Skull, build: Build, ears: str, muzzle: str, crown: str) -> None:
    """The skull and what grows on it; the first primitives are skin that the eyes can sit on."""
    solid.blob(Part.HEAD, skull.centre, skull.radii, 0.03, build.head_power)
    if build.cheek > 0:
        grown = np.array(skull.radii) * (1 + 0.16 * build.cheek, 0.7, 1.0)
        solid.blob(Part.HEAD, skull.at(0, -0.32, 0), grown, 0.12)
    if muzzle:
        _muzzle(solid, skull, muzzle)
    if crown:
        _crown(solid, skull, crown)
    if ears:
        _sides(lambda side: _EARS[ears](solid, skull, side))
