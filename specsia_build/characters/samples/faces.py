"""Eyes, brows and mouths: painted on the head, or on eyeballs that stand out of it."""

from __future__ import annotations

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.chance import INK, WHITE, Colour, mix, shade
from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.paint import Stamp
from specsia_build.characters.samples.shapes import blob, by

_FACE = ("head", "eye", "muzzle", "skin")


def add_face(body: Body, skull: Skull, tint: dict[str, Colour]) -> list[Stamp]:
    """Eyeballs, where there are any, and what is painted of the face, the lowest first."""
    chance, traits, kind = body.chance, body.traits, body.traits.kind
    a, b, _ = skull.radii
    style = chance.pick("anime", "toon", "dot", "simple", "ball", "happy", weights=(3, 2, 1.6, 1.4, 2, 0.5))
    style = {"robot": "screen", "skeleton": "hollow"}.get(traits.species, style)
    big = style in ("anime", "ball") or chance.true(0.4)
    wide = a * (chance.between(0.2, 0.28) if big else chance.between(0.1, 0.17))
    high = min(wide * chance.between(0.95, 1.45), 0.34 * b)
    x, y = chance.between(0.36, 0.46) * a, chance.between(-0.06, 0.12) * b
    if kind.crown == "eyebumps" and not traits.hat:
        y, wide = 0.84 * b, min(wide, 0.2 * a)
        x = 0.5 * a
    level = skull.centre[1] + y
    found: list[Stamp] = []

    def both(shape: str, dx: float, dy: float, size: tuple[float, float], colour: Colour, **more: float) -> None:
        stamp = Stamp(shape, (x + dx, level + dy), size, colour, _FACE, **more)  # type: ignore[arg-type]
        found.extend(stamp.mirrored())

    if style == "ball":
        ball = min(wide, high)
        place = skull.front(x / a, y / b) - by(0, 0, 0.45 * ball)
        body.both("eye", blob(place, (wide, high, ball)), "head", detail=2.0)
    _eyes(style, both, wide, high, tint, chance.between(0.5, 0.75))
    if style == "screen":
        found.insert(0, Stamp("box", (0, level - 0.12 * b), (0.78 * a, 0.5 * b), shade(INK, 0.2), _FACE))
    lid = chance.between(0.2, 0.5)
    if style in ("anime", "toon") and chance.true(0.35):
        both(
            "box",
            0,
            high * (1.3 - lid),
            (1.15 * wide, 0.5 * high),
            shade(tint["head"], 0.12),
            turn_deg=chance.between(-12, 12),
        )
    if chance.true(0.9 if kind.hair > 0.5 else 0.3) and style not in ("screen", "hollow"):
        thick = chance.between(0.03, 0.08) * b
        tilt = chance.between(-14, 14)
        both("arc", 0, high + 0.12 * b, (0.24 * a, thick), shade(tint["hair"], 0.25), turn_deg=tilt, bend=-0.04 * b)
    if chance.true(0.4) and style not in ("screen", "hollow"):
        blush = mix(tint["head"], (0.98, 0.45, 0.45), 0.4)
        both("ellipse", 0.14 * a, -high - 0.1 * b, (0.15 * a, 0.09 * b), blush, soft=0.03)
    if kind.hair > 0.5 and chance.true(0.12):
        for dx, dy in ((-0.06, 0), (0.06, 0.03), (0.02, -0.06)):
            both("ellipse", dx * a, -high - (0.1 - dy) * b, (0.02 * a, 0.02 * b), shade(tint["head"], 0.3))
    if not kind.muzzle:
        nose = (0, skull.centre[1] - 0.16 * b)
        found.append(Stamp("ellipse", nose, (0.05 * a, 0.03 * b), shade(tint["head"], 0.3), ("head",)))
    return found + _mouth(body, skull, tint, glowing=style == "screen")


def _eyes(style: str, both, wide: float, high: float, tint: dict[str, Colour], iris: float) -> None:  # type: ignore[no-untyped-def]
    dark = shade(tint["iris"], 0.75)
    if style == "anime":
        both("ellipse", 0, 0.06 * high, (1.06 * wide, 1.1 * high), INK)
        both("ellipse", 0, 0, (wide, high), WHITE)
        both("ellipse", -0.06 * wide, -0.05 * high, (0.72 * wide, 0.88 * high), tint["iris"])
        both("ellipse", -0.06 * wide, 0.25 * high, (0.66 * wide, 0.55 * high), shade(tint["iris"], 0.45), soft=0.03)
        both("ellipse", -0.06 * wide, -0.02 * high, (0.36 * wide, 0.48 * high), dark)
        both("ellipse", 0.2 * wide, 0.4 * high, (0.22 * wide, 0.22 * high), WHITE)
    elif style in ("toon", "ball"):
        if style == "toon":
            both("ellipse", 0, 0, (1.07 * wide, 1.07 * high), shade(tint["head"], 0.5))
            both("ellipse", 0, 0, (wide, high), WHITE)
        both("ellipse", -0.08 * wide, 0, (iris * wide, iris * high), tint["iris"])
        both("ellipse", -0.08 * wide, 0, (0.55 * iris * wide, 0.55 * iris * high), INK)
        both("ellipse", 0.1 * wide, 0.25 * high, (0.14 * wide, 0.14 * high), WHITE)
    elif style == "happy":
        both("arc", 0, 0, (wide, 0.2 * high), INK, bend=-0.7 * high)
    elif style == "screen":
        both("ellipse" if iris > 0.6 else "box", 0, -0.05 * high, (0.8 * wide, 0.7 * high), tint["accent"])
    elif style == "hollow":
        both("ellipse", 0, 0, (1.3 * wide, 1.1 * high), INK)
    else:
        both("ellipse", 0, 0, (0.8 * wide, high) if style == "simple" else (wide, wide), INK)
        both("ellipse", 0.25 * wide, 0.3 * wide, (0.25 * wide, 0.25 * wide), WHITE)


def _mouth(body: Body, skull: Skull, tint: dict[str, Colour], *, glowing: bool) -> list[Stamp]:
    chance, traits = body.chance, body.traits
    a, b, _ = skull.radii
    kind = traits.kind.muzzle
    if kind in ("beak", "snout", "long", "point"):
        return []
    shape = chance.pick("smile", "grin", "line", "open", "teeth", "frown", weights=(4, 2.5, 1.3, 1.2, 1, 0.7))
    wide = chance.between(0.14, 0.34) * a * (0.6 if kind else 1.0)
    y = float(skull.centre[1]) - chance.between(0.42, 0.54) * b
    ink, thick = (tint["accent"] if glowing else shade(tint["head"], 0.7)), chance.between(0.018, 0.035) * b
    where = (0.0, y)
    if traits.species == "skeleton":
        teeth = [Stamp("box", (k * 0.11 * a, y), (0.012 * a, 0.1 * b), INK, _FACE) for k in (-2, -1, 0, 1, 2)]
        return [Stamp("box", where, (0.3 * a, 0.012 * b), INK, _FACE), *teeth]
    if shape in ("smile", "frown", "line"):
        bend = {"smile": 0.35, "frown": -0.3, "line": 0.0}[shape] * wide
        return [Stamp("arc", where, (wide, thick), ink, _FACE, bend=bend)]
    tall = wide * (0.75 if shape == "open" else 0.5)
    found = [Stamp("ellipse", where, (wide, tall), (0.45, 0.12, 0.14), _FACE)]
    if shape == "teeth":
        found.append(Stamp("box", (0, y + 0.35 * tall), (0.75 * wide, 0.3 * tall), WHITE, _FACE))
    else:
        found.append(Stamp("ellipse", (0, y - 0.55 * tall), (0.55 * wide, 0.4 * tall), (0.9, 0.45, 0.45), _FACE))
    if shape == "grin":
        cover = Stamp("box", (0, y + 0.75 * tall), (1.1 * wide, 0.6 * tall), tint["head"], _FACE)
        found += [cover, Stamp("box", (0, y + 0.12 * tall), (wide, thick * 0.7), ink, _FACE)]
    return found
