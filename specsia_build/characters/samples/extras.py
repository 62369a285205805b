"""Tails, wings, spines, bags and things held in a hand."""

from __future__ import annotations

import numpy as np

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.shapes import Array, blob, by, lathe, loft, sheet, turned

_TAILS: dict[str, tuple[list[tuple[float, float, float]], tuple[float, ...]]] = {
    "long": ([(0, 0.05, -0.2), (0, 0.2, -0.42), (0, 0.55, -0.45)], (0.06, 0.055, 0.05, 0.035)),
    "thin": ([(0, 0.0, -0.2), (0, 0.05, -0.42), (0, 0.22, -0.55)], (0.035, 0.028, 0.022, 0.014)),
    "short": ([(0, 0.06, -0.12), (0, 0.16, -0.2), (0, 0.24, -0.2)], (0.06, 0.055, 0.05, 0.03)),
    "bushy": ([(0, 0.02, -0.2), (0, 0.2, -0.38), (0, 0.5, -0.42)], (0.05, 0.12, 0.16, 0.04)),
    "tuft": ([(0, -0.05, -0.2), (0, 0.0, -0.36), (0, 0.2, -0.46)], (0.04, 0.03, 0.03, 0.03)),
    "curl": ([(0.02, 0.08, -0.1), (-0.05, 0.1, -0.16), (0.0, 0.03, -0.16)], (0.035, 0.032, 0.03, 0.02)),
    "thick": ([(0, -0.1, -0.25), (0, -0.16, -0.48), (0, -0.05, -0.72)], (0.16, 0.12, 0.07, 0.02)),
    "puff": ([(0, 0.02, -0.05), (0, 0.04, -0.08), (0, 0.06, -0.1)], ()),
    "fan": ([(0, 0.02, -0.08), (0, 0.06, -0.15), (0, 0.1, -0.22)], ()),
}
"""Points of a tail from its root, and its radii from there on."""


def tail_points(body: Body) -> list[Array]:
    """Joints of the tail that shows, root first, above the floor; none without one."""
    if not body.traits.tail:
        return []
    build, (steps, _) = body.build, _TAILS[body.traits.tail]
    root = np.array([0.0, body.frame.trunk(0.16), -0.85 * body.frame.girth(body.frame.trunk(0.16))[1]])
    scale = min(1.0, 0.9 * build.neck) if body.traits.tail != "thick" else min(1.0, 1.6 * build.hips + 0.5)
    return [np.maximum(root + scale * np.array(step), (-9, 0.14, -9)) for step in [(0.0, 0.0, 0.0), *steps]]


def add_extras(body: Body) -> None:
    """All that is added to a dressed body."""
    traits = body.traits
    if traits.tail:
        _tail(body)
    if traits.kind.back and not traits.cape and not traits.bag:
        (_wings if traits.kind.back == "wings" else _spines)(body)
    if traits.bag and not traits.cape:
        _bag(body)
    if traits.prop:
        _prop(body)


def _tail(body: Body) -> None:
    kind, points = body.traits.tail, tail_points(body)
    bones = ("tail1", "tail2", "tail3")
    radii = _TAILS[kind][1]
    if kind == "puff":
        body.add("tip", blob(points[-1], (0.1, 0.1, 0.1)), "tail1")
    elif kind == "fan":
        for x in (-0.07, 0.0, 0.07):
            tip = points[-1] + by(x * 1.5, 0.03 - abs(x), -0.04)
            body.add("tail", loft([points[0] + by(0.5 * x, 0, 0), tip], [(0.05, 0.025), (0.035, 0.015)], 4, 9), "tail1")
    else:
        body.add("tail", loft(points, list(radii), 14, 11), *bones)
    if kind in ("tuft", "bushy"):
        body.add("tip", blob(points[-1], (0.075, 0.1, 0.075)), "tail3")


def _wings(body: Body) -> None:
    frame, big = body.frame, body.traits.species == "dragon"
    root = np.array([0.3 * body.build.chest, frame.trunk(0.78), -frame.girth(frame.trunk(0.78))[1]])
    span, high = (0.6, 0.34) if big else (0.4, 0.1)
    t = np.linspace(0, 1, 9)
    scallop = 0.06 * np.abs(np.sin(3 * np.pi * t)) * (1 if big else 0.6)
    top = root + np.stack([span * t, high * np.sin(2.2 * t), -0.16 - 0.2 * t], axis=1)
    low = root + np.stack([span * t, -0.3 * (1 - t**2) - 0.06 + scallop - 0.1 * t, -0.1 - 0.22 * t], axis=1)
    s = np.linspace(0, 1, 5)[:, None, None]
    body.both("wing", sheet(top * (1 - s) + np.minimum(low, top - by(0, 0.02, 0)) * s, 0.02), "chest")


def _spines(body: Body) -> None:
    frame = body.frame
    for share in (0.25, 0.45, 0.65, 0.85):
        y = frame.trunk(share)
        root = np.array([0, y, -0.9 * frame.girth(y)[1]])
        cone = loft([root, root + by(0, 0.06, -0.14)], [(0.03, 0.08), (0.006, 0.01)], 3, 9)
        body.add("accent", cone, "hips", "spine", "chest")
    top = 1.8 - body.build.head[1]
    for angle in (0.4, 0.9, 1.4) if not body.traits.hat and body.traits.hair == "bald" else ():
        way = np.array([0, np.cos(angle), -np.sin(angle)])
        root = np.array([0, top, 0]) + way * np.array(body.build.head) * 0.95
        body.add("accent", loft([root, root + way * 0.16], [(0.03, 0.09), (0.006, 0.01)], 3, 9), "head")


def _bag(body: Body) -> None:
    frame, build, kind, side = body.frame, body.build, body.traits.bag, body.traits.side
    deep = frame.girth(frame.trunk(0.6))[1]
    if kind == "backpack":
        centre = np.array([0, frame.trunk(0.6), -deep - 0.09])
        body.add("leather", blob(centre, (0.75 * build.chest, 0.3 * frame.span, 0.11), 3.5), "chest", "spine")
        body.add(
            "accent",
            blob(centre - by(0, 0.1 * frame.span, 0.09), (0.5 * build.chest, 0.13 * frame.span, 0.05), 3.0),
            "chest",
            "spine",
        )
    elif kind == "satchel":
        place = np.array([side * (build.hips + 0.05), frame.trunk(0.16), 0.02])
        body.add("leather", blob(place, (0.055, 0.12, 0.14), 3.5), "hips")
        body.add("accent", blob(place + by(side * 0.05, 0.04, 0), (0.02, 0.07, 0.13), 3.5), "hips")


def _prop(body: Body) -> None:
    """What a hand holds, pointing ahead or up, so that it stays off the ground when the arm hangs."""
    side = body.traits.side
    hand = (body.frame.wrist + body.frame.along * 0.09) * (side, 1, 1)
    bone, kind = ("leftHand" if side > 0 else "rightHand"), body.traits.prop
    long = min(0.75, 0.9 * hand[1] + 0.1) * body.chance.between(0.7, 1.0)

    def rod(look: str, start: float, end: float, *radii: float | tuple[float, float]) -> None:
        path = [hand + by(0, 0, start), hand + by(0, 0, end)]
        body.add(look, loft(path, list(radii), 4, 9, ends=(0.5, 0.5), front=(0, 1, 0)), bone)

    if kind == "sword":
        rod("leather", -0.08, 0.07, 0.022, 0.022)
        body.add("gold", blob(hand + by(0, 0, 0.08), (0.03, 0.1, 0.022), 3.0, size=(7, 9)), bone)
        rod("metal", 0.08, 0.1 + long, (0.012, 0.05), (0.006, 0.025))
    elif kind == "staff":
        rod("wood", -0.7 * long, long, 0.02, 0.026)
        body.add("accent", blob(hand + by(0, 0, long + 0.04), (0.07, 0.07, 0.07)), bone)
    elif kind == "shield":
        disc = lathe(
            hand + by(side * 0.03, 0, 0), [(0.26, 0), (0.24, 0.04), (0.08, 0.07)], (1, 1), turned(z_deg=-90 * side)
        )
        body.add("shield", disc, bone)
    else:
        body.add("accent", blob(hand + by(0, 0, 0.1), (0.035, 0.16, 0.12), 8.0, size=(7, 13)), bone)
        body.add("white", blob(hand + by(0, 0, 0.107), (0.026, 0.148, 0.12), 8.0, size=(7, 13)), bone)
