"""Hair as primitives: a cap over the skull, a fringe that leaves the face free, and a style."""

from __future__ import annotations

import numpy as np

from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.solid import Solid, Vector, by, turned


def _cap(solid: Solid, skull: Skull, thick: float, back: float, lift: float) -> None:
    a, b, c = skull.radii
    solid.blob(Part.HAIR, skull.at(0, lift, -back), (a * thick, b * (thick - 0.04), c * thick), 0.01, skull.power)


def _on_face(skull: Skull, u: float, v: float, out: float) -> Vector:
    """The point of the head's front at u, v, `out` half depths in front of it."""
    level = 1.0 - abs(u) ** skull.power - abs(v) ** skull.power
    return skull.at(u, v, max(level, 0.0) ** (1.0 / skull.power) + out)


def _fringe(solid: Solid, skull: Skull, kind: str, lean: float) -> None:
    """Hair over the forehead; `lean` is +1 or -1, the side of the parting."""
    a, b, c = skull.radii
    if kind == "straight":
        solid.blob(Part.HAIR, skull.at(0, 0.68, 0.1), (a * 0.95, b * 0.46, c * 0.97), 0.01, max(skull.power, 2.4))
        locks = [(u, 0.6, 0.9 * u, 0.3) for u in (-0.6, -0.3, 0.0, 0.3, 0.6)]
    elif kind == "swept":
        tilt = turned(z_deg=-lean * 14)
        solid.blob(Part.HAIR, skull.at(-0.06 * lean, 0.7, 0.1), (a * 0.93, b * 0.46, c * 0.96), 0.01, skull.power, tilt)
        locks = [(lean * (0.3 - 0.3 * k), 0.66 - 0.05 * k, lean * (0.06 - 0.3 * k), 0.4 - 0.09 * k) for k in range(3)]
    else:
        for side in (1, -1):
            tilt = turned(z_deg=-side * 24)
            at = skull.at(side * 0.42, 0.66, 0.06)
            solid.blob(Part.HAIR, at, (a * 0.56, b * 0.44, c * 0.95), 0.012, skull.power, tilt)
        locks = [(side * 0.72, 0.5, side * 0.86, 0.0) for side in (1, -1)]
    for u, v, tip_u, tip_v in locks:
        root, tip = _on_face(skull, u, v, -0.12), _on_face(skull, tip_u, tip_v, 0.0)
        solid.limb(Part.HAIR, root, tip, skull.sized(0.2, 0.05), 0.03, (1.0, 0.75))


def _sides(solid: Solid, skull: Skull, low: float, radius: float = 0.2) -> None:
    for side in (1, -1):
        points = (skull.at(side * 0.88, 0.3, -0.05), skull.at(side, -0.2, -0.05), skull.at(side * 0.92, low, 0.0))
        solid.chain(Part.HAIR, points, skull.sized(radius, radius, radius * 0.7), 0.02, (0.8, 1.25))


def _curtain(solid: Solid, skull: Skull, low: float, width: float) -> None:
    """Hair down the back, to `low` half heights below the centre."""
    a, b, c = skull.radii
    top, half = 0.1, (0.1 - low) / 2
    solid.blob(Part.HAIR, skull.at(0, top - half, -0.62), (a * width, b * (half + 0.3), c * 0.46), 0.04, 2.6)


_SPIKES = ((0, 1, 0.3), (0.5, 0.86, 0.22), (-0.5, 0.86, 0.22), (0.86, 0.5, 0), (-0.86, 0.5, 0), (0, 0.9, -0.5),
           (0.55, 0.6, -0.66), (-0.55, 0.6, -0.66), (0, 0.35, -1), (0.7, 0.05, -0.74), (-0.7, 0.05, -0.74))  # fmt: skip


def _spikes(solid: Solid, skull: Skull) -> None:
    for u, v, w in _SPIKES:
        root, tip = skull.at(u * 0.75, v * 0.75, w * 0.75), skull.at(u * 1.5, v * 1.42, w * 1.45 - 0.1)
        solid.limb(Part.HAIR, root, tip, skull.sized(0.34, 0.05), 0.03)


def _puffs(solid: Solid, skull: Skull, reach: float, radius: float) -> None:
    """Curls all over but the face, on a spiral so that they spread evenly."""
    for k in range(34):
        v = 1.0 - 1.45 * (k + 0.5) / 34
        around = np.sqrt(max(1 - v * v, 0.0))
        u, w = around * np.sin(2.4 * k), around * np.cos(2.4 * k)
        if w > 0.35 and v < 0.62:
            continue
        solid.blob(
            Part.HAIR,
            skull.at(u * reach, v * reach + 0.05, w * reach - 0.08),
            skull.sized(radius, radius, radius),
            0.03,
        )


def _tail(solid: Solid, skull: Skull, side: float, high: float, length: float) -> None:
    """A bound tail of hair: at the back for side 0, else at that side."""
    s = skull.size
    root = skull.at(side * 0.92, high, -0.45 if side else -0.95)
    out = np.array([side * 0.34, 0.06, -0.06]) if side else np.array([0.0, 0.12, -0.34])
    points = [root, root + out * s, root + (out * by(1.5, 0, 1.4) - by(0, 0.45 * length, 0)) * s,
              root + (out * by(1.25, 0, 1.1) - by(0, length, 0)) * s]  # fmt: skip
    solid.chain(Part.HAIR, points, skull.sized(0.15, 0.24, 0.25, 0.06), 0.02)
    solid.blob(Part.TIE, root + out * s * 0.35, skull.sized(0.17, 0.17, 0.17), 0.01)


def _braid(solid: Solid, skull: Skull, side: int) -> None:
    s = skull.size
    for k in range(6):
        at = skull.at(side * (0.95 + 0.03 * k), -0.3, -0.1) - by(0, 0.24 * s * k, 0)
        radius = s * (0.17 - 0.012 * k)
        solid.blob(Part.HAIR if k != 4 else Part.TIE, at, (radius, radius * (1.05 if k != 4 else 0.8), radius), 0.01)


def add_hair(solid: Solid, skull: Skull, style: str, lean: float, hatted: bool) -> None:
    """One style of hair; under a hat only what hangs below it."""
    at, sized = skull.at, skull.sized
    if style == "bald":
        return
    back = 0.2 if style in ("short", "quiff", "mohawk") else 0.14
    _cap(solid, skull, 1.01 if hatted else 1.07, back, 0.02 if hatted else 0.13)
    fringe = {"bob": "straight", "bowl": "straight", "bun": "parted", "buns": "straight", "long": "parted",
              "twintails": "straight", "braids": "parted"}.get(style, "swept")  # fmt: skip
    if not hatted and style not in ("afro", "mohawk", "spiky", "curly"):
        _fringe(solid, skull, fringe, lean)
    if style in ("bob", "bowl"):
        low = -0.55 if style == "bob" else -0.1
        _sides(solid, skull, low, 0.22)
        _curtain(solid, skull, low - 0.15, 0.98)
    elif style == "long":
        _sides(solid, skull, -0.95, 0.18)
        _curtain(solid, skull, -2.0, 0.84)
    elif style == "ponytail":
        _tail(solid, skull, 0.0, 0.45, 1.5)
    elif style == "twintails":
        for side in (1.0, -1.0):
            _tail(solid, skull, side, 0.3, 1.4)
    elif style == "braids":
        _braid(solid, skull, 1)
        _braid(solid, skull, -1)
    if hatted:
        return
    if style == "spiky":
        _spikes(solid, skull)
    elif style == "bun":
        solid.blob(Part.HAIR, at(0, 1.12, -0.3), sized(0.36, 0.32, 0.36), 0.015)
        solid.ring(Part.TIE, at(0, 0.95, -0.27), 0.2 * skull.size, 0.07 * skull.size, 0.01)
    elif style == "buns":
        for side in (1, -1):
            solid.blob(Part.HAIR, at(side * 0.68, 0.86, -0.15), sized(0.3, 0.3, 0.3), 0.015)
    elif style == "afro":
        _puffs(solid, skull, 1.12, 0.42)
    elif style == "curly":
        _puffs(solid, skull, 1.0, 0.27)
    elif style == "mohawk":
        for k in range(7):
            angle = np.deg2rad(-30 + 26 * k)
            v, w = float(np.cos(angle)), float(-np.sin(angle))
            root, tip = at(0, v * 0.8, w * 0.8), at(0, v * 1.4, w * 1.35 - 0.1)
            solid.limb(Part.HAIR, root, tip, sized(0.2, 0.06), 0.02, (0.6, 1.0))
    elif style == "quiff":
        for k in (-1, 0, 1):
            root = at(0.25 * k - 0.1 * lean, 0.75, 0.5)
            points = (root, root + sized(0.05 * lean, 0.34, 0.12), root + sized(0.32 * lean, 0.5, -0.12))
            solid.chain(Part.HAIR, points, sized(0.22, 0.2, 0.08), 0.02)
