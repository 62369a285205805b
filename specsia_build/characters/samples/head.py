"""Head, ears, muzzles and horns as primitives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.solid import Solid, axes_along, turned
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

    def sized(self, *lengths: float) -> Array:
        """Lengths, or a step, in such sizes: the same in units."""
        return np.array(lengths) * self.size


def skull_of(build: Build) -> Skull:
    """Where the head sits: its top at 1.8."""
    return Skull((0.0, 1.8 - build.head[1], 0.0), build.head, build.head_power)


def _ear(solid: Solid, skull: Skull, kind: str, side: int) -> None:
    at, sized, part = skull.at, skull.sized, Part.EAR
    if kind == "human":
        solid.blob(part, at(side, -0.1, -0.02), sized(0.08, 0.19, 0.13), 0.02, axes=turned(z_deg=-side * 12))
    elif kind == "elf":
        root = at(side * 0.9, -0.08, -0.02)
        solid.limb(part, root, root + sized(side * 0.55, 0.32, -0.12), sized(0.16, 0.05), 0.02, (1.0, 0.55))
    elif kind == "cat":
        root = at(side * 0.56, 0.62, 0.0)
        solid.limb(part, root, root + sized(side * 0.2, 0.56, -0.02), sized(0.3, 0.06), 0.03, (1.0, 0.5))
    elif kind == "bunny":
        root, middle = at(side * 0.36, 0.82, -0.05), at(side * 0.46, 1.4, -0.1)
        points = (root, middle, middle + sized(side * 0.12, 0.42, 0))
        solid.chain(part, points, sized(0.14, 0.2, 0.13), 0.03, (1.0, 0.55))
    elif kind == "round":
        solid.blob(part, at(side * 0.7, 0.78, -0.05), sized(0.28, 0.28, 0.14), 0.02)
    elif kind == "dish":
        tilt = turned(y_deg=side * 12)
        solid.blob(part, at(side * 0.92, 0.78, -0.08), sized(0.44, 0.46, 0.12), 0.02, axes=tilt)
    elif kind == "fluffy":
        solid.blob(part, at(side * 1.02, 0.42, -0.05), sized(0.42, 0.42, 0.18), 0.03)
        for k in range(3):
            solid.blob(part, at(side * (1.22 + 0.1 * k), 0.1 + 0.26 * k, -0.05), sized(0.17, 0.17, 0.12), 0.04)
    elif kind == "floppy":
        points = (at(side * 0.78, 0.62, -0.05), at(side * 1.04, 0.5, -0.05), at(side * 1.14, -0.12, 0.0))
        solid.chain(part, points, sized(0.13, 0.17, 0.22), 0.03, (0.9, 0.6))
    elif kind == "fold":
        root = at(side * 0.55, 0.74, 0.05)
        points = (root, root + sized(side * 0.16, 0.24, 0.05), root + sized(side * 0.26, 0.1, 0.3))
        solid.chain(part, points, sized(0.2, 0.16, 0.07), 0.03, (1.0, 0.55))
    elif kind == "side":
        root = at(side * 0.82, 0.32, -0.05)
        points = (root, root + sized(side * 0.34, 0.08, 0), root + sized(side * 0.6, -0.06, 0))
        solid.chain(part, points, sized(0.1, 0.18, 0.07), 0.03, (1.0, 0.5))
    elif kind == "fan":
        tilt = turned(y_deg=side * 18, z_deg=side * 14)
        solid.blob(part, at(side * 1.38, 0.02, -0.12), sized(0.62, 0.72, 0.11), 0.03, axes=tilt)
    elif kind == "tuft":
        root = at(side * 0.58, 0.68, 0.05)
        solid.limb(part, root, root + sized(side * 0.32, 0.4, 0), sized(0.2, 0.045), 0.05, (1.0, 0.6))
    elif kind == "bolts":
        along = axes_along((side, 0, 0))
        solid.frustum(part, at(side, -0.02, 0), 0.08 * skull.size, sized(0.24, 0.2), 0.03, 0.008, axes=along)
    elif kind == "fin":
        root = at(side * 0.85, 0.1, -0.1)
        for k, lift in enumerate((0.5, 0.12, -0.22)):
            tip = root + sized(side * (0.5 - 0.06 * k), lift, -0.08)
            solid.limb(part, root, tip, sized(0.16, 0.05), 0.02, (1.0, 0.5))


def _muzzle(solid: Solid, skull: Skull, kind: str) -> None:
    sized, middle = skull.sized, skull.at(0, -0.36, 0.82)
    if kind == "small":
        for side in (1, -1):
            solid.blob(Part.MUZZLE, middle + sized(side * 0.11, 0, 0), sized(0.18, 0.15, 0.22), 0.03)
        solid.blob(Part.NOSE, middle + sized(0, 0.1, 0.2), sized(0.08, 0.055, 0.06), 0.006)
    elif kind == "wide":
        solid.blob(Part.MUZZLE, middle, sized(0.42, 0.3, 0.34), 0.04)
        solid.blob(Part.NOSE, middle + sized(0, 0.16, 0.3), sized(0.14, 0.1, 0.08), 0.006)
    elif kind == "long":
        solid.blob(Part.MUZZLE, middle + sized(0, 0, 0.1), sized(0.38, 0.28, 0.52), 0.06, 2.3)
        solid.blob(Part.NOSE, middle + sized(0, 0.17, 0.54), sized(0.15, 0.1, 0.1), 0.006)
    elif kind == "point":
        tip = middle + sized(0, -0.02, 0.42)
        solid.limb(Part.MUZZLE, middle - sized(0, 0, 0.2), tip, sized(0.34, 0.1), 0.06, (1.0, 0.8))
        solid.blob(Part.NOSE, middle + sized(0, 0.03, 0.5), sized(0.1, 0.08, 0.08), 0.006)
    elif kind == "snout":
        root, ahead = middle + sized(0, 0.06, 0.08), axes_along((0, 0, 1), (0, 1, 0))
        solid.frustum(Part.MUZZLE, root, 0.16 * skull.size, sized(0.3, 0.26), 0.04, 0.03, (1.0, 0.8), ahead)
    elif kind == "bignose":
        solid.blob(Part.NOSE, middle + sized(0, 0.22, 0.12), sized(0.16, 0.26, 0.16), 0.01)
    elif kind == "trunk":
        bends = ((0, 0.25, -0.1), (0, 0.05, 0.32), (0, -0.4, 0.42), (0, -0.62, 0.62), (0, -0.52, 0.8))
        path = [middle + sized(*bend) for bend in bends]
        solid.chain(Part.MUZZLE, path, sized(0.24, 0.2, 0.16, 0.13, 0.12), 0.05)
    elif kind == "beak":
        root, tip = middle + sized(0, 0.06, -0.1), middle + sized(0, -0.02, 0.34)
        solid.limb(Part.BEAK, root, tip, sized(0.25, 0.07), 0.01, (1.1, 0.7))


def _crown(solid: Solid, skull: Skull, kind: str) -> None:
    at, sized = skull.at, skull.sized
    if kind == "mane":
        for k in range(14):
            angle = 2 * np.pi * k / 14
            solid.blob(Part.MANE, at(0.98 * np.sin(angle), 0.98 * np.cos(angle), -0.15), sized(0.38, 0.38, 0.36), 0.05)
        solid.blob(Part.MANE, at(0, 0, -0.5), np.array(skull.radii) * (1.12, 1.12, 0.8), 0.05)
    for side in (1, -1):
        if kind == "horns":
            root = at(side * 0.5, 0.78, 0.1)
            points = (root, root + sized(side * 0.22, 0.2, 0), root + sized(side * 0.24, 0.5, 0.04))
            solid.chain(Part.HORN, points, sized(0.14, 0.11, 0.05), 0.01)
        elif kind == "antlers":
            root = at(side * 0.38, 0.82, 0.0)
            fork = root + sized(side * 0.16, 0.36, 0)
            solid.chain(Part.HORN, (root, fork, root + sized(side * 0.4, 0.72, 0)), sized(0.075, 0.07, 0.055), 0.01)
            solid.limb(Part.HORN, fork, fork + sized(side * 0.34, 0.06, 0.03), sized(0.065, 0.05), 0.01)
        elif kind == "antennae":
            root = at(side * 0.4, 0.84, 0.0)
            tip = root + sized(side * 0.2, 0.5, 0.05)
            solid.limb(Part.HORN, root, tip, sized(0.06, 0.055), 0.02)
            solid.blob(Part.BADGE, tip, sized(0.13, 0.13, 0.13), 0.005)
        elif kind == "eyebumps":
            solid.blob(Part.HEAD, at(side * 0.52, 0.72, 0.3), sized(0.36, 0.36, 0.34), 0.04)
    if kind == "antenna":
        root = at(0, 0.95, 0)
        solid.limb(Part.HORN, root, root + sized(0, 0.34, 0), sized(0.07, 0.055), 0.01)
        solid.blob(Part.BADGE, root + sized(0, 0.4, 0), sized(0.13, 0.13, 0.13), 0.005)
    elif kind == "tuft":
        root = at(0, 0.9, 0.05)
        for lean in (-0.2, 0.02, 0.24):
            solid.limb(Part.MANE, root, root + sized(lean, 0.36, -0.08), sized(0.1, 0.045), 0.02)


def add_head(solid: Solid, skull: Skull, build: Build, ears: str, muzzle: str, crown: str) -> None:
    """The skull and what grows on it; the first primitives are skin that the eyes can sit on."""
    solid.blob(Part.HEAD, skull.centre, skull.radii, 0.03, build.head_power)
    if build.cheek > 0:
        grown = np.array(skull.radii) * (1 + 0.16 * build.cheek, 0.7, 1.0)
        solid.blob(Part.HEAD, skull.at(0, -0.32, 0), grown, 0.12)
    _muzzle(solid, skull, muzzle)
    _crown(solid, skull, crown)
    for side in (1, -1):
        _ear(solid, skull, ears, side)
