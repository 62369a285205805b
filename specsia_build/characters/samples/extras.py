"""Hats, tails, wings and things carried, as primitives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.body import Frame
from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.solid import Solid, axes_along, by, turned
from specsia_build.characters.samples.traits import Build, Outfit


def _dome(solid: Solid, skull: Skull, thick: float, rim: float) -> None:
    """A cap whose rim is near `rim` half heights above the centre in front and lower behind."""
    a, b, c = skull.radii
    high = 1.06 - rim
    radii = (a * thick, b * high * 0.9, c * thick)
    solid.blob(Part.HAT, skull.at(0, rim + high * 0.26, -0.04), radii, 0.01, max(skull.power, 2.2), turned(x_deg=-14))


def add_hat(solid: Solid, skull: Skull, kind: str, lean: float) -> None:
    """One hat; `lean` is +1 or -1, the side of what is not in the middle."""
    at, sized = skull.at, skull.sized
    s, (a, b, c) = skull.size, skull.radii
    flat = (a / c, 1.0)
    if kind == "cap":
        _dome(solid, skull, 1.1, 0.42)
        solid.blob(Part.BRIM, at(0, 0.54, 0.92), (a * 0.72, 0.075 * s, c * 0.72), 0.015, 2.6, turned(x_deg=10))
        solid.blob(Part.BADGE, at(0, 1.24, -0.06), sized(0.09, 0.06, 0.09), 0.005)
    elif kind == "tophat":
        solid.frustum(Part.BRIM, at(0, 0.66, -0.04), 0.02, (c * 1.12, c * 1.12), 0.03, 0.01, flat)
        solid.frustum(Part.HAT, at(0, 1.1, -0.04), b * 0.44, (c * 0.68, c * 0.76), 0.03, 0.01, flat)
        solid.ring(Part.BADGE, at(0, 0.82, -0.04), c * 0.7, 0.04, 0.005, (a / c, 1.0, 1.8))
    elif kind == "wizard":
        solid.frustum(Part.BRIM, at(0, 0.6, -0.05), 0.015, (c * 1.38, c * 1.28), 0.03, 0.01, flat)
        points = (at(0, 0.66, -0.05), at(0, 1.35, -0.1), at(0.3 * lean, 2.0, -0.35))
        solid.chain(Part.HAT, points, (c * 0.86, c * 0.42, 0.05 * s), 0.01)
        solid.ring(Part.BADGE, at(0, 0.74, -0.05), c * 0.84, 0.045, 0.005, (a / c, 1.0, 1.4))
    elif kind == "beanie":
        _dome(solid, skull, 1.1, 0.42)
        solid.ring(Part.BRIM, at(0, 0.5, -0.06), c * 0.94, 0.1 * s, 0.01, (a / c, 1.0, 1.3))
        solid.blob(Part.BADGE, at(0, 1.32, -0.06), sized(0.22, 0.22, 0.22), 0.01)
    elif kind == "helmet":
        _dome(solid, skull, 1.16, 0.38)
        solid.ring(Part.BRIM, at(0, 0.48, -0.05), c * 1.03, 0.07 * s, 0.01, (a / c, 1.0, 1.2))
        solid.blob(Part.BADGE, at(0, 0.75, -0.15), (0.07 * s, b * 0.68, c * 1.2), 0.01)
    elif kind == "headband":
        solid.ring(Part.HAT, at(0, 0.52, -0.03), c * 0.9, 0.055 * s, 0.006, (a / c, 1.0, 1.8))
        knot = at(0.12 * lean, 0.46, -0.98)
        for k in (1, 2):
            solid.limb(Part.HAT, knot, knot + sized(lean * 0.2 * k, -0.42 / k, -0.1), sized(0.08, 0.06), 0.01)
    elif kind == "crown":
        solid.frustum(Part.HAT, at(0, 0.92, 0), 0.1 * s, (c * 0.52, c * 0.58), 0.02, 0.006, flat)
        for k in range(6):
            angle = np.pi * (2 * k + 1) / 6
            root = at(0.55 * np.sin(angle), 1.04, 0.55 * np.cos(angle))
            solid.limb(Part.HAT, root, root + sized(0, 0.24, 0), sized(0.12, 0.045), 0.01)
        solid.blob(Part.BADGE, at(0, 0.94, 0.6), sized(0.08, 0.08, 0.05), 0.004)
    elif kind == "straw":
        solid.frustum(Part.BRIM, at(0, 0.58, -0.05), 0.012, (c * 1.5, c * 1.45), 0.028, 0.01, flat)
        solid.blob(Part.HAT, at(0, 0.62, -0.05), (a * 0.92, b * 0.6, c * 0.92), 0.01, 2.6)
        solid.ring(Part.BADGE, at(0, 0.7, -0.05), c * 0.9, 0.04, 0.005, (a / c, 1.0, 1.6))
    elif kind == "hood":
        solid.blob(Part.HAT, at(0, 0.06, -0.2), (a * 1.14, b * 1.12, c * 1.08), 0.01)
        solid.limb(Part.HAT, at(0, 0.7, -0.6), at(0, 1.0, -1.35), sized(0.4, 0.08), 0.05)
    elif kind == "hairbow":
        knot = at(0.5 * lean, 0.92, 0.12)
        for way in (-1, 1):
            end = knot + sized(way * 0.3, 0.08 * (1 - way * lean), 0)
            solid.limb(Part.HAT, knot, end, sized(0.07, 0.19), 0.01, (1.0, 0.6))
        solid.blob(Part.BADGE, knot, sized(0.1, 0.1, 0.12), 0.005)
    elif kind == "chef":
        solid.frustum(Part.BRIM, at(0, 0.9, -0.05), 0.16 * s, (c * 0.66, c * 0.66), 0.02, 0.01, flat)
        for k in range(6):
            angle = np.pi * k / 3
            puff = at(0.42 * np.sin(angle), 1.4, 0.42 * np.cos(angle) - 0.05)
            solid.blob(Part.HAT, puff, sized(0.42, 0.36, 0.42), 0.03)
    elif kind == "pilot":
        _dome(solid, skull, 1.12, 0.4)
        for side in (1, -1):
            top, low = at(side * 0.96, 0.3, -0.1), at(side, -0.4, -0.05)
            solid.limb(Part.HAT, top, low, sized(0.24, 0.2), 0.02, (0.6, 1.0), (1, 0, 0))
            glass, ahead = at(side * 0.36, 0.66, 0.86), axes_along((side * 0.25, 0.3, 1))
            solid.frustum(Part.BADGE, glass, 0.05 * s, sized(0.22, 0.2), 0.02, 0.006, axes=ahead)
        solid.ring(Part.BRIM, at(0, 0.6, -0.06), c * 0.93, 0.045 * s, 0.005, (a / c, 1.0, 1.6))
    elif kind == "party":
        base = at(0.25 * lean, 0.85, 0)
        solid.limb(Part.HAT, base, base + sized(0.14 * lean, 0.7, 0), sized(0.36, 0.06), 0.006)
        solid.blob(Part.BADGE, base + sized(0.14 * lean, 0.74, 0), sized(0.12, 0.12, 0.12), 0.006)
    elif kind == "flower":
        middle = at(0.6 * lean, 0.74, 0.42)
        for k in range(5):
            angle = 2 * np.pi * k / 5
            petal = middle + np.array([np.cos(angle), np.sin(angle), -0.2]) * 0.17 * s
            solid.blob(Part.HAT, petal, sized(0.13, 0.13, 0.09), 0.006)
        solid.blob(Part.BADGE, middle + sized(0, 0, 0.05), sized(0.1, 0.1, 0.08), 0.004)


_TAILS: dict[str, tuple[list[tuple[float, float, float]], list[float]]] = {
    "long": ([(0, 0, 0), (0, -0.02, -0.16), (0.08, 0.14, -0.28), (0.12, 0.34, -0.24)], [0.05, 0.048, 0.046, 0.05]),
    "thin": ([(0, 0, 0), (0, -0.08, -0.18), (0.1, -0.04, -0.34), (0.2, 0.06, -0.38)], [0.036, 0.034, 0.032, 0.03]),
    "short": ([(0, 0, 0), (0, 0.12, -0.14), (0, 0.24, -0.15)], [0.06, 0.055, 0.045]),
    "bushy": ([(0, 0, 0), (0, 0.0, -0.16), (0.05, 0.16, -0.3), (0.08, 0.34, -0.32)], [0.05, 0.1, 0.15, 0.09]),
    "thick": (
        [(0, 0.04, 0.05), (0, -0.1, -0.16), (0.06, -0.18, -0.34), (0.14, -0.16, -0.5)],
        [0.15, 0.12, 0.085, 0.04],
    ),
    "tuft": ([(0, 0, 0), (0, -0.04, -0.15), (0.08, 0.06, -0.27)], [0.036, 0.034, 0.032]),
    "curl": ([(0, 0, 0), (0.05, 0.05, -0.07), (0, 0.1, -0.11), (-0.05, 0.05, -0.14)], [0.034, 0.032, 0.03, 0.028]),
}
"""Points from the root and radii there of the tails that are chains."""


def _tail_root(build: Build) -> NDArray[np.float64]:
    y = build.crotch + 0.18 * (build.neck - build.crotch)
    return np.array([0.0, y, -build.hips * build.depth * 0.8])


def tail_points(build: Build, kind: str) -> list[NDArray[np.float64]]:
    """Where a tail bends, from the seat on; its tip is none of them. Nothing for a `kind` that is empty."""
    if not kind:
        return []
    points = _TAILS[kind][0][:-1] if kind in _TAILS else [(0.0, 0.0, 0.0)]
    return [_tail_root(build) + np.array(point) for point in points]


def add_tail(solid: Solid, build: Build, kind: str) -> None:
    """A tail at the seat."""
    root = _tail_root(build)
    if kind == "puff":
        solid.blob(Part.TAIL_TIP, root + by(0, 0, -0.06), (0.1, 0.1, 0.1), 0.02)
    elif kind == "fan":
        solid.blob(Part.TAIL, root + by(0, -0.02, -0.08), (0.12, 0.05, 0.16), 0.04, axes=turned(x_deg=25))
    elif kind in _TAILS:
        points, radii = _TAILS[kind]
        placed = [root + np.array(p) for p in points]
        solid.chain(Part.TAIL, placed, radii, 0.04)
        if kind in ("bushy", "long", "tuft"):
            radius = radii[-1] * (1.02 if kind != "tuft" else 2.2)
            solid.blob(Part.TAIL_TIP, placed[-1] + by(0, 0.03, 0), (radius, radius * 1.25, radius), 0.02)


def add_back(solid: Solid, build: Build, frame: Frame, skull: Skull, kind: str) -> None:
    """Wings or a ridge of spines."""
    top = frame.shoulder[1]
    if kind in ("wings", "dragon"):
        for side in (1, -1):
            root = np.array([side * 0.06, top - 0.06, frame.back * 0.85])
            if kind == "wings":
                tilt = turned(y_deg=side * 30, z_deg=side * 20)
                solid.blob(Part.WING, root + by(side * 0.16, -0.06, -0.1), (0.2, 0.13, 0.05), 0.02, axes=tilt)
                continue
            for k, (out, up) in enumerate(((0.34, 0.26), (0.38, 0.08), (0.3, -0.08))):
                tip = root + by(side * out, up, -0.16 - 0.02 * k)
                solid.limb(Part.WING, root, tip, (0.07, 0.028), 0.05, (1.3, 0.7))
    elif kind == "spines":
        for k in range(5):
            y = top - 0.02 - k * 0.18 * (build.neck - build.crotch)
            end = by(0, y + 0.05, frame.back - 0.1 + 0.01 * k)
            solid.limb(Part.SPINE, (0, y, frame.back * 0.8), end, (0.075, 0.03), 0.01, (0.6, 1.0))
        for v, w in ((1.0, 0.0), (0.75, -0.68), (0.25, -0.98)):
            root, end = skull.at(0, v * 0.85, w * 0.85), skull.at(0, v * 1.28, w * 1.25)
            solid.limb(Part.SPINE, root, end, (0.09, 0.03), 0.01, (0.6, 1.0))


def _bag(solid: Solid, build: Build, frame: Frame, kind: str, side: float) -> None:
    y = (frame.shoulder[1] + frame.waist) / 2
    span = build.neck - build.crotch
    if kind == "backpack":
        wide, high, back = build.chest * 0.72, 0.32 * span, frame.back
        solid.box(Part.BAG, (0, y, back - 0.05), (wide, high, 0.085), 0.05, 0.01)
        solid.box(Part.FLAP, (0, y + high * 0.5, back - 0.06), (wide * 1.04, high * 0.54, 0.092), 0.04, 0.006)
        solid.box(Part.FLAP, (0, y - high * 0.45, back - 0.13), (wide * 0.62, high * 0.32, 0.04), 0.025, 0.006)
    elif kind == "satchel":
        x = side * (max(build.hips, build.chest) + 0.02)
        solid.box(Part.BAG, (x, frame.waist - 0.08, 0), (0.06, 0.1, 0.13), 0.035, 0.01)
        solid.box(Part.FLAP, (x + side * 0.01, frame.waist - 0.04, 0), (0.062, 0.06, 0.138), 0.03, 0.004)
    elif kind == "quiver":
        along = np.array([side * 0.5, 1.0, 0.0])
        at = np.array([0, y, frame.back - 0.05])
        solid.frustum(Part.BAG, at, 0.24, (0.06, 0.075), 0.02, 0.01, axes=axes_along(along))
        for k in (-1, 0, 1):
            end = at + along / np.linalg.norm(along) * 0.34 + by(0.05 * k, 0.02 * k, 0)
            solid.limb(Part.FLAP, at + by(0.03 * k, 0.1, 0), end, (0.03, 0.032), 0.006)


def add_worn(solid: Solid, build: Build, frame: Frame, outfit: Outfit, side: float) -> None:
    """Cape, bag, scarf and bow; `side` is +1 or -1, where one-sided things hang."""
    span = build.neck - build.crotch
    if outfit.cape:
        low = max(0.3 * build.crotch, 0.1)
        half = (frame.shoulder[1] - low) / 2
        wide = max(build.chest, build.hips) + 0.06
        middle, tilt = (0, low + half, frame.back - 0.02), turned(x_deg=-4)
        solid.frustum(Part.CAPE, middle, half, (wide * 1.2, wide * 0.72), 0.02, 0.02, (1.0, 0.22), tilt)
        radius, stretch = build.chest * 0.62 + 0.02, (1.1, build.depth + 0.15, 1.0)
        solid.ring(Part.CAPE, (0, build.neck - 0.03, 0), radius, 0.04, 0.02, stretch)
    elif outfit.bag:
        _bag(solid, build, frame, outfit.bag, side)
    if outfit.scarf:
        radius = max(build.chest * 0.6, 0.13)
        solid.ring(Part.SCARF, (0, build.neck - 0.02, 0), radius, 0.055, 0.01, (1.1, build.depth + 0.1, 1.1))
        knot = np.array([side * radius * 0.5, build.neck - 0.04, radius * (build.depth + 0.1) * 0.95])
        end = knot + by(side * 0.03, -0.42 * span, 0.03 + build.belly * 0.5)
        solid.limb(Part.SCARF, knot, end, (0.05, 0.06), 0.01, (1.0, 0.6))
    elif outfit.bow:
        knot = np.array([0.0, build.neck - 0.07, frame.chest * 0.9])
        for way in (-1, 1):
            solid.limb(Part.BOW, knot, knot + by(way * 0.1, 0, 0), (0.03, 0.062), 0.008, (1.0, 0.6))
        solid.blob(Part.BOW, knot + by(0, 0, 0.02), (0.036, 0.036, 0.036), 0.006)
