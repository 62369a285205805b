"""Painted faces and markings as stamps."""

from __future__ import annotations

from itertools import chain

from specsia_build.characters.samples.colours import INK, WHITE, Colour, luma, mix, shade
from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.parts import Part
from specsia_build.characters.samples.stamps import Stamp
from specsia_build.characters.samples.traits import Face, Traits

_HEAD = (Part.HEAD,)
SKIN_PARTS = (Part.HEAD, Part.MUZZLE)


def eye_place(skull: Skull, face: Face) -> tuple[float, float, float, float]:
    """The left eye's x, y and half width and half height, in units."""
    a, b, _ = skull.radii
    small = min(a, b)
    return face.eye_at[0] * a, skull.centre[1] + face.eye_at[1] * b, face.eye_size[0] * small, face.eye_size[1] * small


def _mouth(skull: Skull, kind: str, muzzle: str, skin: Colour) -> list[Stamp]:
    s = min(skull.radii[0], skull.radii[1])
    drop = {"": -0.42, "small": -0.5, "wide": -0.46, "long": -0.48, "point": -0.56, "snout": -0.68, "bignose": -0.56,
            "trunk": -0.8, "beak": -2.0}[muzzle]  # fmt: skip
    x, y = 0.0, skull.centre[1] + drop * skull.radii[1]
    if muzzle in ("beak", "trunk"):
        return []
    line = mix(INK, skin, 0.12 if luma(skin) > 0.35 else 0.0)
    inside, tongue = (0.45, 0.12, 0.14), (0.91, 0.45, 0.46)
    wide = 0.2 * s if not muzzle else 0.17 * s
    parts = SKIN_PARTS
    if kind == "smile":
        return [Stamp("arc", (x, y), (wide, 0.022 * s), line, parts, bend=0.4)]
    if kind == "grin":
        return [
            Stamp("grin", (x, y), (wide * 1.2, wide * 0.95), inside, parts, bend=0.25),
            Stamp("ellipse", (x, y - wide * 0.75), (wide * 0.62, wide * 0.34), tongue, parts),
            Stamp("arc", (x, y + wide * 0.33), (wide * 1.2, 0.018 * s), line, parts, bend=0.25),
        ]
    if kind == "teeth":
        return [
            Stamp("grin", (x, y), (wide * 1.25, wide * 0.8), line, parts, bend=0.2),
            Stamp("grin", (x, y - 0.01 * s), (wide * 1.1, wide * 0.62), WHITE, parts, bend=0.2),
            Stamp("box", (x, y - 0.1 * wide), (wide * 0.03, wide * 0.45), mix(line, WHITE, 0.5), parts),
        ]
    if kind == "open":
        return [
            Stamp("ellipse", (x, y - 0.02 * s), (wide * 0.5, wide * 0.58), inside, parts),
            Stamp("ellipse", (x, y - 0.02 * s - wide * 0.3), (wide * 0.34, wide * 0.24), tongue, parts),
        ]
    if kind == "smirk":
        return [Stamp("arc", (x + 0.05 * s, y), (wide * 0.85, 0.022 * s), line, parts, turn_deg=10, bend=0.3)]
    if kind == "frown":
        return [Stamp("arc", (x, y - 0.03 * s), (wide * 0.75, 0.022 * s), line, parts, bend=-0.35)]
    if kind == "cat":
        return [Stamp("arc", (x + w * 0.085 * s, y), (0.085 * s, 0.02 * s), line, parts, bend=0.5) for w in (-1, 1)]
    if kind == "tooth":
        return [
            Stamp("arc", (x, y), (wide, 0.022 * s), line, parts, bend=0.3),
            Stamp("triangle", (x + 0.09 * s, y - 0.075 * s), (0.04 * s, 0.045 * s), WHITE, parts, turn_deg=180),
        ]
    return [Stamp("arc", (x, y), (wide * 0.7, 0.02 * s), line, parts, bend=0.04)]


def _brows(skull: Skull, face: Face, colour: Colour) -> list[Stamp]:
    if face.brows == "none":
        return []
    x, y, rx, ry = eye_place(skull, face)
    thick = {"thin": 0.022, "thick": 0.05, "short": 0.042}[face.brows] * skull.size
    long = rx * (0.7 if face.brows == "short" else 1.15)
    high = y + ry + 0.11 * skull.radii[1]
    brow = Stamp("arc", (x, high), (long, thick), colour, _HEAD, turn_deg=-face.brow_tilt, bend=-0.22)
    return [*brow.mirrored()]


def _beard(skull: Skull, face: Face, colour: Colour) -> list[Stamp]:
    s, (a, b, _), cy = skull.size, skull.radii, skull.centre[1]
    half = Stamp("arc", (0.15 * s, cy - 0.31 * b), (0.17 * s, 0.055 * s), colour, _HEAD, turn_deg=-12, bend=-0.2)
    if face.beard == "full":
        return [
            Stamp("ellipse", (0, cy - 0.84 * b), (a * 0.98, b * 0.62), colour, _HEAD, 0),
            Stamp("ellipse", (0, cy - 0.4 * b), (a * 0.3, b * 0.15), mix(colour, (0.95, 0.7, 0.6), 0.75), _HEAD),
            *half.mirrored(),
        ]
    if face.beard == "goatee":
        return [Stamp("ellipse", (0, cy - 0.78 * b), (a * 0.24, b * 0.2), colour, _HEAD)]
    return [*half.mirrored()] if face.beard == "moustache" else []


def _glasses(skull: Skull, face: Face, colour: Colour) -> list[Stamp]:
    if not face.glasses:
        return []
    x, y, rx, ry = eye_place(skull, face)
    r, thin, parts = min(max(rx, ry) * 1.22, x * 0.94), 0.018 * skull.size, (Part.HEAD, Part.MUZZLE, Part.HAIR)
    rim = Stamp("ring", (x, y), (r, r * 0.95), colour, parts, bend=thin + 0.003)
    bow = Stamp("box", (x + r + 0.25 * skull.size, y + 0.1 * r), (0.26 * skull.size, thin), colour, parts)
    bridge = Stamp("box", (0, y + 0.1 * r), (max(x - r, 0.01) + 0.01, thin), colour, parts)
    return [bridge, *chain.from_iterable(zip(rim.mirrored(), bow.mirrored(), strict=True))]


def _nose(skull: Skull, face: Face, skin: Colour) -> list[Stamp]:
    s, y = skull.size, skull.centre[1] - 0.2 * skull.radii[1]
    dark = shade(mix(skin, (0.85, 0.3, 0.25), 0.25), 0.16)
    if face.nose == "dot":
        return [Stamp("ellipse", (0, y), (0.045 * s, 0.034 * s), dark, _HEAD)]
    if face.nose == "line":
        return [Stamp("arc", (0, y), (0.07 * s, 0.018 * s), dark, _HEAD, bend=0.5)]
    return []


def face_stamps(
    traits: Traits, skull: Skull, muzzle: str, skin: Colour, hair: Colour, frame_colour: Colour
) -> list[Stamp]:
    """Everything that is painted on the front of the head, bottom layer first."""
    face, s = traits.face, skull.size
    x, y, _, ry = eye_place(skull, face)
    stamps = _beard(skull, face, hair) if face.beard else []
    if face.blush:
        rosy = mix(skin, (0.96, 0.36, 0.38), 0.5)
        at = (x * 1.3, y - ry - 0.13 * skull.radii[1])
        stamps += Stamp("ellipse", at, (0.15 * s, 0.1 * s), rosy, SKIN_PARTS, opacity=0.75, soft=0.06).mirrored()
    if face.freckles:
        for side in (1, -1):
            for u, v in ((-0.08, 0.02), (0.0, -0.05), (0.08, 0.02)):
                at = (side * (x * 1.05 + u * s), y - ry - (0.12 - v) * skull.radii[1])
                stamps.append(Stamp("ellipse", at, (0.02 * s, 0.02 * s), shade(skin, 0.3), SKIN_PARTS))
    dark_brow = shade(hair, 0.35) if luma(hair) > 0.25 else hair
    if not muzzle:
        stamps += _nose(skull, face, skin)
    stamps += _mouth(skull, face.mouth, muzzle, skin)
    return stamps + _brows(skull, face, dark_brow) + _glasses(skull, face, frame_colour)


def marking_stamps(traits: Traits, skull: Skull, skin: Colour, belly: Colour, dark: Colour) -> list[Stamp]:
    """Fur markings of the head, painted below the face."""
    (a, b, _), cy = skull.radii, skull.centre[1]
    x, y, rx, ry = eye_place(skull, traits.face)
    lean, kind = traits.asymmetry, traits.markings
    head, stamps = _HEAD, list[Stamp]()
    if kind in ("bib", "fox"):
        stamps.append(Stamp("ellipse", (0, cy - 0.72 * b), (a * 0.8, b * 0.5), belly, head))
    if kind == "fox":
        stamps += Stamp("ellipse", (0.72 * a, cy - 0.34 * b), (a * 0.42, b * 0.3), belly, head).mirrored()
    if kind == "panda":
        stamps += Stamp("ellipse", (x, y - 0.02), (rx * 1.6, ry * 1.5), dark, head, turn_deg=-24).mirrored()
    if kind == "patch":
        stamps.append(Stamp("ellipse", (lean * x, y + 0.02), (rx * 1.5 + 0.03, ry * 1.7), dark, (Part.HEAD, Part.EAR)))
    if kind in ("tabby", "tiger"):
        for k in (-1, 0, 1):
            at = (k * 0.2 * a, cy + (0.78 - 0.06 * abs(k)) * b)
            stamps.append(Stamp("ellipse", at, (0.05 * a, 0.24 * b), dark, head))
        cheeks = [
            Stamp("ellipse", (0.93 * a, cy + v * b), (0.2 * a, 0.055 * b), dark, head, turn_deg=8).mirrored()
            for v in (0.0, -0.24)
        ]
        stamps += chain.from_iterable(zip(*cheeks, strict=True))
        for v in (0.5, 0.1, -0.3):
            stamps.append(Stamp("ellipse", (0, cy + v * b), (0.6 * a, 0.07 * b), dark, head, -1))
    if kind == "penguin":
        stamps += Stamp("ellipse", (0.4 * a, cy - 0.06 * b), (a * 0.46, b * 0.56), belly, head).mirrored()
        stamps.append(Stamp("ellipse", (0, cy - 0.45 * b), (a * 0.7, b * 0.4), belly, head))
    if kind == "owl":
        stamps += Stamp("ellipse", (x, y), (rx * 1.9, ry * 1.7), belly, head).mirrored()
    if kind in ("spots", "dapple"):
        tone, size = (dark, 0.17) if kind == "spots" else (belly, 0.07)
        for u, v in ((0.62, 0.5), (-0.5, 0.72), (0.2, 0.8), (-0.82, -0.28), (0.74, -0.5)):
            behind = (-lean * u * a, cy + v * b * 0.8)
            stamps.append(Stamp("ellipse", (lean * u * a, cy + v * b), (size * a, size * b * 0.9), tone, head))
            stamps.append(Stamp("ellipse", behind, (size * a * 1.2, size * b), tone, head, -1))
    if kind == "robot":
        stamps.append(Stamp("box", (0, y), (a * 0.84, ry * 1.5 + 0.02), dark, head, bend=0.6))
        stamps += Stamp("ellipse", (0.8 * a, cy - 0.76 * b), (0.05 * a, 0.05 * a), dark, head, 0).mirrored()
        stamps.append(Stamp("box", (0, cy), (a * 0.5, b * 0.4), mix(skin, dark, 0.4), head, -1, bend=0.3))
    return stamps
