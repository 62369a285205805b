"""Hair, beards and hats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.head import Skull, Triple, add_parts
from specsia_build.characters.samples.shapes import blob, lathe, loft
from specsia_build.characters.samples.traits import TABLES


def add_hair(body: Body, skull: Skull) -> None:
    """Add hair and beard."""
    traits, chance = body.traits, body.chance
    kind, hatted = traits.hair, traits.hat not in ("", "headband", "hairbow", "crown")
    if traits.hat in ("hood", "knight"):
        kind = "bald"
    if kind != "bald":
        _hair(body, skull, "short" if hatted and kind in ("afro", "mohawk", "spiky", "curly") else kind, hatted)
    if traits.beard in ("full", "goatee"):
        wide = 0.75 if traits.beard == "full" else 0.3
        low = chance.between(0.0, 0.5) if traits.beard == "full" else 0.1
        body.add("hair", blob(skull.at(0, -0.75, 0.52), skull.radii * (wide, 0.42 + 0.5 * low, 0.52), 2.2))
    if traits.beard in ("moustache", "full"):
        root = skull.front(0, -0.3) + skull.sized(0, 0, 0.02)
        tip = root + skull.sized(0.38, -0.1, -0.1)
        path = [root, (root + tip) / 2 + skull.sized(0, 0.03, 0.02), tip]
        body.both("hair", loft(path, [x * skull.size for x in (0.08, 0.09, 0.03)], 6, 9))


def _hair(body: Body, skull: Skull, kind: str, hatted: bool) -> None:
    chance, at, sized, size = body.chance, skull.at, skull.sized, skull.size
    thick = 1.03 if hatted else chance.between(1.06, 1.14)
    teeth = int(chance.rng.integers(3, 9))
    angle = np.linspace(-np.pi, np.pi, 33)
    jag = 0.035 * np.abs(np.sin(teeth * angle)) * (np.cos(angle) > -0.2) if chance.true(0.6) else 0.0
    fringe = chance.between(0.24, 0.36)
    edges = {
        "short": (fringe - 0.03, 0.4, 0.62), "bowl": (0.37, 0.48, 0.58), "bob": (fringe, 0.66, 0.72),
        "long": (fringe - 0.02, 0.6, 0.8), "parted": (0.2, 0.5, 0.66), "mohawk": (0.16, 0.2, 0.5),
    }  # fmt: skip
    if kind not in ("mohawk", "afro") or hatted:
        body.add("hair", skull.cap(*edges.get(kind, (fringe - 0.04, 0.42, 0.64)), thick, jag), detail=1.2)

    def lock(points: Sequence[Triple], radii: Sequence[float], flat: float = 1.0, both: bool = True) -> None:
        grid = loft([at(*p) for p in points], [(r * size, r * size * flat) for r in radii], 9, 11)
        (body.both if both else body.add)("hair", grid)

    neck = -1.2 - chance.between(0.0, 0.5)
    if kind in ("bob", "long", "parted"):
        low = {"bob": -0.85, "parted": -0.75}.get(kind, neck)
        lock([(0.9, 0.3, 0.1), (1.06, -0.3, 0.12), (0.98, low, 0.2)], (0.16, 0.22, 0.08), 1.4)
    if kind == "long":
        t, s = np.linspace(0, 1, 8), [0.75, 0.95, 0.9, 0.82, 0.8, 0.76, 0.7, 0.5]
        path = [at(0, 0.2 - (0.2 - neck - 0.3) * k, -0.66 - 0.2 * np.sin(2 * k)) for k in t]
        radii = [(w * skull.radii[0], 0.42 * skull.radii[2] * (1 - 0.5 * k)) for w, k in zip(s, t, strict=True)]
        body.add("hair", loft(path, radii, 0, 17, 2.4), "head", "chest")
    elif kind == "ponytail":
        low = chance.between(-0.9, -0.2)
        strand = [(0, 0.55, -0.85), (0, 0.45, -1.3), (0, low, -1.45), (0, low - 0.5, -1.25)]
        lock(strand, (0.14, 0.27, 0.26, 0.06), both=False)
        body.add("accent", blob(at(0, 0.55, -0.98), sized(0.18, 0.18, 0.1)))
    elif kind == "twintails":
        root, tip = (0.75, 0.4, -0.4), (1.15, chance.between(-1.2, -0.5), -0.35)
        lock([root, (1.3, 0.3, -0.4), tip], (0.12, 0.26, 0.05))
        body.both("accent", blob(at(*root) + sized(0.08, 0, 0), sized(0.15, 0.15, 0.15), size=(7, 9)))
    elif kind == "spiky":
        for x, z, high in TABLES["spikes"]:
            y = float(np.sqrt(max(1 - x * x - z * z, 0.05)))
            tip = (1.35 * x, y + 0.85 * high, 1.25 * z)
            lock([(0.8 * x, 0.7 * y, 0.8 * z), tip], (0.36, 0.03), 0.9, x > 0)
    elif kind == "afro":
        fluff = skull.shell(np.linspace(0, np.pi, 15)[:, None], 29, 1.0)
        wave = 1 + 0.035 * np.sin(7 * fluff / size).sum(axis=2, keepdims=True)
        scale = chance.between(1.2, 1.4)
        grid = skull.centre + (fluff - skull.centre) * wave * scale * (1, 0.95, 0.85)
        body.add("hair", grid + sized(0, 0.4, 0.35 - 0.85 * scale))
    elif kind == "mohawk":
        for turn in np.linspace(-0.25, 1.0, 6):
            foot = at(0, 0.85 * np.cos(turn * 1.3), 0.35 - 1.1 * turn * 0.8)
            peak = foot + sized(0, 0.55 * np.cos(turn), -0.35 * turn)
            body.add("hair", loft([foot, peak], [(0.12 * size, 0.26 * size), (0.05 * size, 0.08 * size)], 4, 9))
    elif kind == "parted":
        lock([(-0.1, 0.9, 0.55), (0.55, 0.55, 0.8), (0.95, -0.05, 0.4)], (0.16, 0.2, 0.06), 0.7)
    add_parts(body, skull, TABLES["hair_parts"].get(kind, ()))


def add_hat(body: Body, skull: Skull) -> None:
    """Add the hat."""
    add_parts(body, skull, TABLES["hats"].get(body.traits.hat, ()))
    if body.traits.hat == "crown":
        (a, b, c), place = skull.radii, skull.at(0, 0.62, 0)
        rows = [(0.82 * c, 0), (0.84 * c, 0.1 * b), (0.9 * c, 0.34 * b), (0.76 * c, 0.1 * b)]
        grid = lathe(place, rows, (a / c, 1.0), None, 25)
        grid[3, :, 1] = place[1] + np.where(np.arange(25) % 4 < 2, 0.34, 0.14) * b
        body.add("gold", grid)
