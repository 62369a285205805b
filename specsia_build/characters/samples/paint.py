"""Colour of each texel from where it lies on the character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples import field, prints
from specsia_build.characters.samples.body import Frame
from specsia_build.characters.samples.colours import Colour, shade
from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.nets import QuadMesh
from specsia_build.characters.samples.outfits import Palette
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.stamps import Stamp
from specsia_build.characters.samples.traits import Traits

Array = NDArray[np.float64]

SHADOW = np.array([0.62, 0.5, 0.62])
"""What full painted shadow multiplies a colour by."""

_SEAM = 0.0045


@dataclass(frozen=True)
class Wardrobe:
    """All that says how a character is painted."""

    traits: Traits
    frame: Frame
    skull: Skull
    palette: Palette
    parts: dict[Part, Colour]
    stamps: tuple[Stamp, ...]
    girths: dict[Part, float]


def soft_light(table: Array, mesh: QuadMesh) -> Array:
    """How much painted shadow each vertex gets, 0 none to 1, (V,): creases, and what faces down."""
    hidden = np.zeros(len(mesh.vertices))
    for reach, weight in ((0.03, 0.3), (0.09, 0.4), (0.2, 0.3)):
        clear = field.distance(table, mesh.vertices + reach * mesh.normals)
        hidden += weight * np.clip(1.0 - clear / reach, 0.0, 1.0)
    down = np.clip(0.35 - mesh.normals[:, 1], 0.0, 1.0) * 0.3
    return np.clip(0.62 * hidden + down, 0.0, 1.0)


def _coordinates(part: Part, points: Array, wardrobe: Wardrobe) -> tuple[Array, Array]:
    """Angle around a part's axis (0 in front) and distance along it from its upper or inner end."""
    build, frame = wardrobe.traits.build, wardrobe.frame
    x, y, z = points.T
    if part in (Part.SLEEVE, Part.ARM, Part.HAND, Part.CUFF):
        drop = np.tan(np.deg2rad(build.arm_drop_deg))
        axis = frame.shoulder[1] - drop * (np.abs(x) - frame.shoulder[0])
        return np.arctan2(y - axis, z), np.abs(x) - frame.shoulder[0]
    if part in (Part.TROUSER, Part.LEG, Part.SOCK, Part.SHOE):
        return np.arctan2(x - np.sign(x) * build.gap, z), frame.waist - y
    if part in (Part.HEAD, Part.HAIR, Part.HAT, Part.MANE, Part.EAR):
        return np.arctan2(x, z), 1.8 - y
    return np.arctan2(x, z), build.neck - y


def _printed(part: Part, points: Array, colour: Array, wardrobe: Wardrobe) -> Array:
    """The part's base colour with its print, streaks and zones, (N, 3)."""
    traits, palette, frame = wardrobe.traits, wardrobe.palette, wardrobe.frame
    outfit, (around, along) = traits.outfit, _coordinates(part, points, wardrobe)

    def over(base: Array, second: Colour, alpha: Array) -> Array:
        return np.asarray(base + (np.array(second) - base) * alpha[:, None])

    girth = wardrobe.girths.get(part, 0.1)
    dressed = outfit.top != "bare"
    if (dressed and part in (Part.TORSO, Part.SLEEVE)) or (part is Part.SKIRT and outfit.bottom != "skirt"):
        kind = "plain" if part is Part.SLEEVE and outfit.print in ("chest", "halves", "gradient") else outfit.print
        colour = over(colour, palette.top_second, prints.coverage(kind, around, along, girth, 0.13))
    lower = _lower(part, points, wardrobe)
    if lower is not None:
        print_ = prints.coverage(outfit.bottom_print, around, along, girth, 0.12)
        cloth = over(np.tile(np.array(palette.bottom), (len(points), 1)), palette.bottom_second, print_)
        colour = colour + (cloth - colour) * lower[:, None]
    if part is Part.SKIRT:
        colour = over(colour, palette.top_second, _cut(np.abs(points[:, 1] - frame.skirt - 0.05) - 0.016))
    if part is Part.ARM and outfit.sleeve > 0:
        colour = over(colour, palette.top, _cut(np.abs(points[:, 0]) - frame.sleeve_end + 0.02))
    if part is Part.LEG and outfit.socks > 0:
        sock = wardrobe.parts[Part.SOCK]
        stripes = prints.coverage("stripes" if outfit.buttons == 3 else "plain", around, along, girth, 0.07)
        alpha = _cut(points[:, 1] - frame.sock)
        colour = over(over(colour, sock, alpha), palette.scheme.accent, alpha * stripes)
    if part is Part.SHOE and outfit.shoes not in ("paws", "claws"):
        colour = over(colour, palette.scheme.light, _cut(points[:, 1] - 0.03))
        if outfit.shoes == "sneakers":
            toe = _cut(0.11 - points[:, 2]) * _cut(points[:, 1] - 0.075)
            colour = over(colour, palette.scheme.light, toe)
    if part in (Part.HAIR, Part.MANE):
        streak = prints.strands(around, along, 9)[:, None]
        colour = np.clip(colour * (1.0 + 0.075 * streak), 0.0, 1.0)
    if part is Part.EAR and wardrobe.skull.size > 0:
        colour = _inner_ear(points, colour, wardrobe)
    if part is Part.HAT and outfit.buttons == 4:
        colour = over(colour, palette.scheme.light, prints.coverage("stripes", around, along, girth, 0.14))
    if part in (Part.TAIL, Part.ARM, Part.LEG) and traits.markings in ("tiger", "tabby"):
        depth = along if part is not Part.TAIL else points[:, 1] - 0.6 * points[:, 2]
        colour = over(colour, palette.dark, prints.coverage("stripes", around, depth, 0.1, 0.15) * 0.9)
    return colour


def _cut(distance: Array) -> Array:
    """1 where a distance is negative, 0 where positive, in units."""
    return np.clip(0.5 - distance / 0.005, 0.0, 1.0)


def _lower(part: Part, points: Array, wardrobe: Wardrobe) -> Array | None:
    """How much of each point the lower garment covers, 0-1; None for parts that it never covers."""
    outfit, frame = wardrobe.traits.outfit, wardrobe.frame
    if outfit.bottom == "none":
        return None
    if part is Part.TORSO:
        return _cut(points[:, 1] - frame.waist)
    if part is Part.TROUSER or (part is Part.SKIRT and outfit.bottom == "skirt"):
        return np.ones(len(points))
    if part is Part.LEG:
        return _cut(frame.hem + 0.03 - points[:, 1]) if outfit.bottom != "skirt" else None
    return None


def _inner_ear(points: Array, colour: Array, wardrobe: Wardrobe) -> Array:
    """Ears are rosy in front, away from their rim; the rim is found by how flat the ear is there."""
    pink = np.array(shade(wardrobe.palette.skin, 0.1)) * 0.5 + np.array([0.96, 0.6, 0.58]) * 0.5
    return np.where((points[:, 2] > wardrobe.skull.centre[2])[:, None], colour * 0.6 + pink * 0.4, colour)


def paint(
    points: Array, normals: Array, light: Array, part: NDArray[np.int64], gap: Array, wardrobe: Wardrobe
) -> NDArray[np.uint8]:
    """Colours of points on the surface.

    Args:
        points: (N, 3) in units, OBJ axes.
        normals: (N, 3), outwards.
        light: (N, 3) factors of the painted light and shadow.
        part: (N,) part numbers.
        gap: (N,) how much farther the next part is, in units; borders between parts are inked a little.
        wardrobe: how the character is painted.

    Returns:
        (N, 3) uint8 sRGB.
    """
    order = np.argsort(part.astype(np.uint8), kind="stable")
    numbers, starts = np.unique(part[order], return_index=True)
    colour = np.empty((len(points), 3))
    members = dict(zip((int(n) for n in numbers), np.split(order, starts[1:]), strict=True))
    for number, index in members.items():
        own = Part(number)
        base = np.tile(np.array(wardrobe.parts[own]), (len(index), 1))
        base = _printed(own, points[index], base, wardrobe)
        for stamp in wardrobe.stamps:
            if own in stamp.parts:
                base = _stamped(stamp, points[index], normals[index], base)
        colour[index] = base
    ink = np.clip(1.0 - gap / _SEAM, 0.0, 1.0) * 0.35
    colour *= 1.0 - ink[:, None]
    colour *= light
    return np.clip(np.rint(colour * 255.0), 0, 255).astype(np.uint8)


def _stamped(stamp: Stamp, points: Array, normals: Array, colour: Array) -> Array:
    reach = float(np.hypot(*stamp.size)) * 1.6 + 0.03 + stamp.soft + stamp.bend
    near = np.flatnonzero(
        (np.abs(points[:, 0] - stamp.centre[0]) < reach) & (np.abs(points[:, 1] - stamp.centre[1]) < reach)
    )
    if len(near) == 0:
        return colour
    alpha = stamp.coverage(points[near], normals[near])[:, None]
    colour[near] += (np.array(stamp.colour) - colour[near]) * alpha
    return colour


def girths(traits: Traits) -> dict[Part, float]:
    """Radius of the parts that carry prints, in units."""
    build: Sequence[float] = (traits.build.hips, traits.build.arm, traits.build.leg)
    return {
        Part.TORSO: build[0], Part.SKIRT: build[0] * 1.1, Part.SLEEVE: build[1] + 0.02, Part.TROUSER: build[2] + 0.02,
        Part.LEG: build[2], Part.HAT: traits.build.head[0],
    }  # fmt: skip
