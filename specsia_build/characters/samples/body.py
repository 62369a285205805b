"""Torso, limbs and clothes as primitives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.solid import Solid, axes_along, by
from specsia_build.characters.samples.traits import Build, Outfit

CLOTH = 0.014
"""How far a garment stands off the skin, in units."""


@dataclass(frozen=True)
class Frame:
    """Places on the body that clothes and things hang on, in units.

    Attributes:
        shoulder, wrist, hand: on the left arm; the right one mirrors x.
        hip, ankle: on the left leg.
        waist: height where the lower garment begins.
        sleeve_end: where along the arm the sleeve ends, as x.
        hem: height where the trousers end.
        sock: height where the socks end.
        skirt: height where a skirt, dress or coat ends.
        back: z of the back between the shoulders.
        chest: z of the chest.
    """

    shoulder: tuple[float, float, float]
    wrist: tuple[float, float, float]
    hand: tuple[float, float, float]
    hip: tuple[float, float, float]
    ankle: tuple[float, float, float]
    waist: float
    sleeve_end: float
    hem: float
    sock: float
    skirt: float
    back: float
    chest: float


def lay_out(build: Build, outfit: Outfit) -> Frame:
    """Where things are on this body."""
    drop = np.deg2rad(build.arm_drop_deg)
    shoulder_y = build.neck - max(build.arm * 1.25, 0.16 * (build.neck - build.crotch)) - 0.01
    start = np.array([max(build.chest * 0.72, 0.06), shoulder_y, 0.0])
    reach = build.arm_length + build.chest * 0.28
    along = np.array([np.cos(drop), -np.sin(drop), 0.0])
    wrist = start + along * reach
    hand = wrist + along * build.wrist * 0.9
    ankle_y = 0.07
    top = build.crotch + 0.3 * build.leg
    span = build.crotch - ankle_y
    return Frame(
        shoulder=(float(start[0]), float(start[1]), 0.0),
        wrist=(float(wrist[0]), float(wrist[1]), 0.0),
        hand=(float(hand[0]), float(hand[1]), 0.0),
        hip=(build.gap, top, 0.0),
        ankle=(build.gap, ankle_y, 0.0),
        waist=build.crotch + 0.36 * (build.neck - build.crotch),
        sleeve_end=float(start[0] + along[0] * reach * max(outfit.sleeve, 0.02)),
        hem=build.crotch - span * outfit.hem,
        sock=ankle_y + span * outfit.socks,
        skirt=build.crotch - span * outfit.skirt,
        back=-build.chest * build.depth, chest=build.chest * build.depth,
    )  # fmt: skip


def _torso(solid: Solid, build: Build) -> None:
    span = build.neck - build.crotch
    hips, chest, depth = build.hips, build.chest, build.depth
    low, high = min(hips, 0.62 * span), min(chest, 0.62 * span)
    solid.blob(Part.TORSO, (0, build.crotch + 0.36 * span, 0), (hips, 0.46 * span, hips * depth), 0, 2.4)
    solid.blob(Part.TORSO, (0, build.neck - 0.36 * span, 0), (chest, 0.4 * span, chest * depth), 0.1, 2.3)
    start, end = (0, build.crotch + 0.3 * span, 0), (0, build.neck - 0.3 * span, 0)
    solid.limb(Part.TORSO, start, end, (low * 0.9, high * 0.9), 0.06, (min(hips / low, chest / high), depth))
    if build.belly > 0:
        radius, middle = hips * 0.85, (0, build.crotch + 0.4 * span, build.belly * 0.6)
        solid.blob(Part.TORSO, middle, (radius, 0.4 * span, radius * depth + build.belly * 0.4), 0.1)
    solid.limb(Part.HEAD, (0, build.neck - 0.12, 0), (0, build.neck + 0.1, 0), (0.075, 0.075), 0.03)


def _hand(solid: Solid, frame: Frame, build: Build, kind: str, side: int) -> None:
    part = Part.HAND
    size = max(build.wrist * 1.25, 0.075)
    along = np.array(frame.hand) - np.array(frame.wrist)
    along = along / np.linalg.norm(along) * by(side, 1, 1)
    palm = np.array([side * frame.wrist[0], frame.wrist[1], 0.0]) + along * size * 0.75
    if kind == "paw":
        solid.blob(part, palm, (size * 1.1, size * 0.95, size * 1.0), 0.03)
        return
    solid.blob(part, palm, (size * 1.12, size * 0.72, size * 0.98), 0.03, 2.3)
    thumb = palm + along * size * 0.05 + by(0, 0.1 * size, size * 0.75)
    end = thumb + along * size * 0.55 + by(0, 0.15 * size, size * 0.6)
    solid.limb(part, thumb, end, (size * 0.36, size * 0.3), 0.02)
    if kind in ("fingers", "glove"):
        for k in (-1, 0, 1):
            base = palm + along * size * 0.7 + by(0, 0, -k * size * 0.58)
            tip = base + along * size * (1.0 if k == 0 else 0.85) + by(0, -0.05 * size, -k * size * 0.12)
            solid.limb(part, base, tip, (size * 0.36, size * 0.3), 0.012)
    elif kind in ("mitten", "thumb"):
        solid.blob(part, palm + along * size * 0.8, (size * 0.85, size * 0.62, size * 0.85), 0.04)
    if kind == "glove":
        at = np.array([side * frame.wrist[0], frame.wrist[1], 0.0]) - along * size * 0.1
        solid.frustum(part, at, 0.03, (build.wrist + 0.02, build.wrist + 0.035), 0.015, 0.005, axes=axes_along(along))


def _arm(solid: Solid, frame: Frame, build: Build, outfit: Outfit, side: int) -> None:
    start = np.array([side * frame.shoulder[0] * 0.7, frame.shoulder[1], 0.0])
    wrist = np.array([side * frame.wrist[0], frame.wrist[1], 0.0])
    solid.limb(Part.ARM, start, wrist, (build.arm, build.wrist), 0.07)
    _hand(solid, frame, build, outfit.hands, side)
    if outfit.sleeve <= 0:
        return
    shoulder = np.array([side * frame.shoulder[0], frame.shoulder[1], 0.0])
    end = shoulder + (wrist - shoulder) * outfit.sleeve
    along = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
    radius = build.arm + (build.wrist - build.arm) * outfit.sleeve + CLOTH + outfit.sleeve_flare
    middle, half = (start + end) / 2, float(np.linalg.norm(end - start)) / 2
    radii = (build.arm + CLOTH - 0.012, radius - 0.012)
    solid.frustum(Part.SLEEVE, middle, half - 0.01, radii, 0.012, 0.05, axes=axes_along(along))
    if outfit.top in ("sweater", "hoodie", "jacket", "coat"):
        solid.ring(Part.CUFF, end - along * 0.012, radius - 0.006, 0.02, 0.006, axes=axes_along(along))


def _foot(solid: Solid, frame: Frame, build: Build, outfit: Outfit, side: int) -> None:
    x = side * frame.ankle[0]
    width = min(max(build.ankle * 1.15, 0.075), max(build.gap * 0.98, 0.075))
    length = width * 1.55
    if outfit.shoes in ("paws", "claws"):
        solid.blob(Part.SHOE, (x, 0.035, 0.045), (width, 0.085, length * 0.9), 0.04)
        if outfit.shoes == "claws":
            for k in (-1, 0, 1):
                toe = np.array([x + k * width * 0.55, 0.03, 0.045 + length * (0.82 - 0.1 * abs(k))])
                solid.limb(Part.SOLE, toe, toe + by(k * 0.008, -0.012, 0.05), (0.032, 0.02), 0.006)
        return
    solid.blob(Part.SHOE, (x, 0.045, 0.05), (width, 0.085, length), 0.02, 2.4)
    solid.blob(Part.SHOE, (x, 0.05, 0.07 + length * 0.35), (width * 1.02, 0.08, length * 0.66), 0.02, 2.2)
    if outfit.shoes == "boots":
        top = max(0.4 * build.crotch, 0.14)
        radii = (build.ankle + 0.012, build.ankle + 0.022)
        solid.frustum(Part.SHOE, (x, 0.06 + top / 2, 0), top / 2, radii, 0.012, 0.04)
        solid.ring(Part.CUFF, (x, 0.06 + top, 0), build.ankle + 0.02, 0.022, 0.006)
    if outfit.shoes == "sneakers":
        solid.frustum(Part.SOLE, (x, 0.018, 0.065), 0.012, (width * 0.95, width * 0.95), 0.02, 0.006, (1.04, 1.6))


def _leg(solid: Solid, frame: Frame, build: Build, outfit: Outfit, side: int) -> None:
    hip = np.array([side * frame.hip[0], frame.hip[1], 0.0])
    ankle = np.array([side * frame.ankle[0], frame.ankle[1], 0.0])
    solid.limb(Part.LEG, hip, ankle, (build.leg, build.ankle), 0.05)
    _foot(solid, frame, build, outfit, side)
    span = frame.hip[1] - frame.ankle[1]
    if outfit.hem > 0:
        t = (frame.hip[1] - frame.hem) / span
        radius = build.leg + (build.ankle - build.leg) * t + CLOTH + outfit.hem_flare
        end = hip + (ankle - hip) * t
        half, radii = max(float(hip[1] - end[1]) / 2 - 0.01, 0.02), (radius - 0.012, build.leg + CLOTH - 0.012)
        solid.frustum(Part.TROUSER, (hip + end) / 2, half, radii, 0.012, 0.04)
    if outfit.socks > 0:
        t = (frame.hip[1] - frame.sock) / span
        radius = build.leg + (build.ankle - build.leg) * t
        solid.ring(Part.SOCK, hip + (ankle - hip) * t, radius, 0.014, 0.008)


def _skirt(solid: Solid, frame: Frame, build: Build, outfit: Outfit) -> None:
    if outfit.skirt <= 0:
        return
    top = frame.waist + 0.04
    half = (top - frame.skirt) / 2
    flat = max(build.depth, 0.8)
    waist = max(build.hips, build.leg + build.gap) * 0.92
    base = max(waist * (1 + outfit.skirt_flare), build.gap + build.leg + 0.03)
    part = Part.SKIRT
    solid.frustum(part, (0, frame.skirt + half, 0), half, (base, waist - 0.02), 0.018, 0.03, (1.0, flat))
    if outfit.top in ("dress", "skirt", "robe") and outfit.skirt_flare > 0.3:
        solid.ring(Part.CUFF, (0, frame.skirt, 0), base, 0.026, 0.01, (1.0, flat, 1.0))


def _garments(solid: Solid, frame: Frame, build: Build, outfit: Outfit) -> None:
    chest = build.chest * 0.62
    if outfit.top == "hoodie":
        along = axes_along((0, 1, -0.25))
        solid.ring(Part.COLLAR, (0, build.neck - 0.03, -0.03), 0.13, 0.05, 0.02, (1.2, 1.1, 1.0), along)
        solid.blob(Part.COLLAR, (0, build.neck - 0.07, frame.back - 0.03), (chest, 0.1, 0.07), 0.03)
    elif outfit.top in ("coat", "jacket", "suit", "robe", "sweater"):
        along = axes_along((0, 1, 0.2))
        solid.ring(Part.COLLAR, (0, build.neck - 0.02, 0), 0.11, 0.034, 0.015, (1.15, 1.0, 1.2), along)
    if outfit.belt and outfit.top != "bare":
        width = float(np.interp(0.36, (0, 1), (build.hips, build.chest)))
        solid.ring(Part.BELT, (0, frame.waist, 0), width + 0.002, 0.026, 0.006, (1.0, build.depth + 0.02, 1.3))
        depth = width * (build.depth + 0.02) + 0.02
        solid.box(Part.BUTTON, (0, frame.waist, depth), (0.045, 0.042, 0.025), 0.012, 0.004)
    if outfit.pads:
        for side in (-1, 1):
            at = (side * frame.shoulder[0], frame.shoulder[1] + build.arm * 0.4, 0)
            solid.blob(Part.PAD, at, (build.arm * 1.5, build.arm * 1.1, build.arm * 1.7), 0.008)


def add_body(solid: Solid, frame: Frame, build: Build, outfit: Outfit) -> None:
    """Torso, arms, legs and what they wear."""
    _torso(solid, build)
    for side in (1, -1):
        _leg(solid, frame, build, outfit, side)
    for side in (1, -1):
        _arm(solid, frame, build, outfit, side)
    _skirt(solid, frame, build, outfit)
    _garments(solid, frame, build, outfit)
