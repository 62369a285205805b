"""Colours of a character's pieces, and what is painted on its body and clothes."""

from __future__ import annotations

from specsia_build.characters.samples.body import Body
from specsia_build.characters.samples.chance import INK, WHITE, Colour, luma, mix, oklch, scheme, shade
from specsia_build.characters.samples.paint import EMBLEMS, Stamp

HAIR: tuple[Colour, ...] = (
    (0.15, 0.12, 0.12), (0.28, 0.18, 0.13), (0.45, 0.28, 0.16), (0.62, 0.42, 0.22), (0.9, 0.74, 0.42),
    (0.72, 0.32, 0.16), (0.85, 0.84, 0.82), (0.5, 0.5, 0.52),
)  # fmt: skip

_TORSO = ("torso",)
_SKIN = ("torso", "head", "arm", "leg", "tail", "hand")


def colours(body: Body) -> dict[str, Colour]:
    """A colour for every look."""
    chance, traits, kind = body.chance, body.traits, body.traits.kind
    cloth = scheme(chance)
    skin = chance.colour(kind.tones)
    if chance.true(kind.fantasy):
        skin = oklch(chance.between(0.6, 0.86), chance.between(0.05, 0.14), chance.between(0, 360))
    hair = chance.colour(HAIR)
    if chance.true(0.25):
        hair = oklch(chance.between(0.4, 0.8), chance.between(0.08, 0.18), chance.between(0, 360))
    if kind.hair < 0.5 and chance.true(0.7):
        hair = shade(skin, 0.4)
    light = luma(skin) > 0.78
    belly = mix(skin, WHITE, 0.75) if not light else mix(skin, (0.98, 0.86, 0.72), 0.45)
    dark = shade(skin, 0.55) if not light else (0.27, 0.25, 0.28)
    limb = dark if traits.markings == "panda" else skin
    top = skin if traits.bare else cloth["top"]
    glove = cloth["accent"] if chance.true(0.5) else cloth["leather"]
    second = cloth["bottom"] if luma(cloth["bottom"]) < 0.85 else cloth["top"]
    skirt = cloth["bottom"] if traits.bottom == "skirt" else top
    return cloth | {
        "skin": skin, "head": skin, "belly": belly, "mark": dark, "hair": hair,
        "iris": oklch(chance.between(0.4, 0.68), 0.13, chance.between(0, 360)),
        "shirt": cloth["light"] if traits.top == "suit" or chance.true(0.5) else cloth["top2"],
        "torso": top, "sleeve": top, "collar": shade(top, 0.14), "cuff": cloth["top2"],
        "cuff2": shade(cloth["leather"], 0.25),
        "arm": limb, "leg": limb, "hand": limb if traits.species != "fox" else dark, "foot": limb, "glove": glove,
        "ear": dark if traits.markings == "panda" else shade(skin, 0.25) if kind.ears == "floppy" else skin,
        "muzzle": skin if kind.muzzle == "snout" or chance.true(0.3) else belly,
        "nose": mix(skin, (0.9, 0.4, 0.35), 0.35), "noseink": INK, "beak": (0.97, 0.66, 0.22),
        "horn": mix((0.93, 0.86, 0.72), skin, 0.15), "mane": shade(skin, 0.42), "tail": skin,
        "tip": belly if kind.tail in ("bushy", "puff") else dark, "joint": shade(skin, 0.4), "skirt": skirt,
        "sock": cloth["light"], "shoe": cloth["leather"], "scarf": cloth["accent"], "white": WHITE, "eye": WHITE,
        "cape": cloth["accent"] if chance.true(0.5) else cloth["bottom"], "hat": second, "brim": shade(second, 0.22),
        "gold": (0.93, 0.77, 0.36), "straw": (0.93, 0.8, 0.5), "wing": mix(skin, belly, 0.3),
        "shield": cloth["wood"] if chance.true(0.5) else cloth["top2"],
    }  # fmt: skip


def prints(body: Body, tint: dict[str, Colour]) -> dict[str, tuple[str, Colour, float]]:
    """Prints of clothes, hair and fur by look."""
    chance, traits = body.chance, body.traits
    found = {"hair": ("strands", shade(tint["hair"], 0.5), 0.1), "mane": ("strands", shade(tint["mane"], 0.5), 0.1)}
    if not traits.bare and traits.top != "overalls":
        kind = chance.pick("plain", "stripes", "dots", "checks", "gradient", "pinstripes", "halves", "band",
                           weights=(7, 2, 1, 1, 1, 0.7, 0.5, 0.7))  # fmt: skip
        repeat = chance.between(0.07, 0.17)
        found["torso"] = (kind, tint["top2"], repeat)
        if kind not in ("halves", "band", "gradient"):
            found["sleeve"] = found["torso"]
    if traits.skirt > 0:
        kind = chance.pick("plain", "hem", "checks", "dots", "stripes", "gradient", weights=(4, 2, 1, 1, 1, 1))
        found["skirt"] = (kind, tint["bottom2"], chance.between(0.07, 0.16))
    if traits.hem > 0:
        kind = chance.pick("plain", "pinstripes", "checks", "dots", weights=(7, 0.8, 0.9, 0.5))
        found["bottom"] = (kind, tint["bottom2"], chance.between(0.06, 0.12))
    for look, share in (("hat", 0.2), ("sock", 0.4), ("scarf", 0.4), ("cape", 0.25), ("shield", 0.4)):
        if chance.true(share):
            found[look] = (chance.pick("stripes", "hem", "dots"), tint["light"], chance.between(0.06, 0.12))
    if traits.markings == "stripes":
        found |= dict.fromkeys(("tail", "arm", "leg"), ("stripes", tint["mark"], 0.14))
    return found


def stamps(body: Body, tint: dict[str, Colour]) -> list[Stamp]:
    """What is painted on the body and its clothes, the lowest first."""
    return [*_markings(body, tint), *(() if body.traits.bare else _clothes(body, tint))]


def _markings(body: Body, tint: dict[str, Colour]) -> list[Stamp]:
    chance, traits, frame, build = body.chance, body.traits, body.frame, body.build
    kind, span, bare = traits.markings, frame.span, _TORSO if traits.bare else ()
    head, (a, b, _) = 1.8 - build.head[1], build.head
    found: list[Stamp] = []
    if kind in ("bib", "stripes", "panda", "plain") and traits.kind.hair < 0.5 and bare:
        found.append(Stamp("ellipse", (0, frame.trunk(0.4)), (0.62 * build.hips, 0.42 * span), tint["belly"], bare))
    if kind == "bib":
        found.append(Stamp("ellipse", (0, head - 0.5 * b), (0.75 * a, 0.5 * b), tint["belly"], ("head",)))
    if kind == "panda":
        patch = Stamp("ellipse", (0.4 * a, head - 0.02 * b), (0.28 * a, 0.36 * b), tint["mark"], ("head",), 20)
        found += [*patch.mirrored(), Stamp("box", (0, frame.trunk(0.85)), (1, 0.09), tint["mark"], bare, side=0)]
    if kind == "stripes":
        for k in (-0.4, 0.0, 0.4):
            found.append(Stamp("ellipse", (k * a, head + 0.78 * b), (0.06 * a, 0.24 * b), tint["mark"], ("head",)))
            found.append(Stamp("ellipse", (0, head + k * b), (0.6 * a, 0.07 * b), tint["mark"], ("head",), side=-1))
            where = (0.0, frame.trunk(0.5 + 0.7 * k))
            found.append(Stamp("ellipse", where, (0.6 * build.hips, 0.03), tint["mark"], bare, side=-1))
    if kind == "patch":
        where = (traits.side * 0.42 * a, head)
        found.append(Stamp("ellipse", where, (0.34 * a, 0.42 * b), tint["mark"], ("head",)))
    if kind in ("spots", "patch"):
        looks = ("head", "tail", *(("torso", "arm", "leg") if traits.bare else ("arm",)))
        for _ in range(int(chance.rng.integers(8, 16))):
            where = (chance.between(-0.9, 0.9) * a, chance.between(0.1, 1.75))
            size = chance.between(0.03, 0.1)
            side = 1 if chance.true(0.5) else -1
            if side < 0 or where[1] < 1.8 - 1.8 * b or where[1] > head + 0.4 * b:
                found.append(Stamp("ellipse", where, (size, size * 0.8), tint["mark"], looks, side=side))
    if kind == "ribs":
        for k in range(4):
            rib = (0, frame.trunk(0.5 + 0.12 * k))
            found.append(Stamp("box", rib, (0.75 * build.chest, 0.018), tint["dark"], bare, side=0))
        found.append(Stamp("box", (0, frame.trunk(0.4)), (0.6 * build.hips, 0.06), tint["dark"], bare, side=0))
    if kind == "panel" and bare:
        screen = (0, frame.trunk(0.58))
        lamp = (0.25 * build.chest, screen[1] + 0.08 * span)
        found += [
            Stamp("box", screen, (0.62 * build.chest, 0.2 * span), tint["joint"], bare),
            Stamp("box", (0, screen[1] - 0.06 * span), (0.42 * build.chest, 0.02), tint["light"], bare),
            Stamp("box", (0, frame.trunk(0.5)), (0.55 * build.chest, 0.24 * span), tint["joint"], bare, side=-1),
            *Stamp("ellipse", lamp, (0.035, 0.035), tint["accent"], bare).mirrored(),
            Stamp("box", (0, frame.trunk(0.2)), (1, 0.025), tint["joint"], bare, side=0),
        ]
    return found


def _clothes(body: Body, tint: dict[str, Colour]) -> list[Stamp]:
    chance, traits, frame, build = body.chance, body.traits, body.frame, body.build
    chest, span, trunk = build.chest, frame.span, ("torso", "skirt")
    top, waist = frame.trunk(0.97), frame.trunk(0.34)
    found: list[Stamp] = []
    shirt = tint["shirt"]
    if traits.top in ("jacket", "coat"):
        width = chance.between(0.12, 0.34) * chest
        looks = trunk if traits.top == "coat" else _TORSO
        found.append(Stamp("box", (0, 0.9), (width, 0.9), shirt, looks))
        found += Stamp("box", (width, 0.9), (0.012, 0.9), shade(tint["top"], 0.3), looks).mirrored()
    elif traits.top == "suit":
        found.append(Stamp("triangle", (0, top - 0.22 * span), (0.45 * chest, 0.34 * span), shirt, _TORSO, 180))
        found.append(Stamp("box", (0, waist + 0.12 * span), (0.006, 0.14 * span), shade(tint["top"], 0.4), _TORSO))
    elif traits.top == "hoodie":
        pouch = (0.5 * chest, 0.1 * span)
        found.append(Stamp("box", (0, waist + 0.14 * span), pouch, shade(tint["top"], 0.16), _TORSO))
        found += Stamp("box", (0.05, top - 0.16 * span), (0.009, 0.1 * span), tint["light"], _TORSO).mirrored()
    elif traits.top == "robe":
        found.append(Stamp("box", (0, 0.9), (0.04, 0.9), tint["top2"], trunk))
    elif traits.top == "armour":
        found.append(Stamp("box", (0, frame.trunk(0.66)), (0.008, 0.3 * span), shade(tint["metal"], 0.35), ("metal",)))
    elif traits.top in ("tank", "dress") and chance.true(0.6):
        found.append(Stamp("ellipse", (0, top + 0.02), (0.5 * chest, 0.16 * span), tint["skin"], _TORSO, side=0))
    low = frame.trunk(0.36)
    if traits.bottom != "none":
        found.append(Stamp("box", (0, low - 1), (2, 1), tint["bottom"], _TORSO, side=0))
    if traits.top == "overalls":
        found.append(Stamp("box", (0, low), (0.55 * chest, 0.26 * span), tint["bottom"], _TORSO))
        strap = Stamp("box", (0.45 * chest, top), (0.1 * chest, 0.42 * span), tint["bottom"], _TORSO, 4, side=0)
        stud = Stamp("ellipse", (0.45 * chest, low + 0.22 * span), (0.022, 0.022), tint["gold"], _TORSO)
        found += [*strap.mirrored(), *stud.mirrored()]
        pouch = (0.28 * chest, 0.07 * span)
        found.append(Stamp("box", (0, low + 0.1 * span), pouch, shade(tint["bottom"], 0.2), _TORSO))
    if traits.top in ("tee", "sweater", "dress", "hoodie", "tank") and chance.true(0.45):
        radius = chance.between(0.16, 0.36) * chest
        where = (0.0 if radius > 0.25 * chest else 0.42 * chest * traits.side, frame.trunk(0.68))
        found.append(Stamp(chance.pick(*EMBLEMS), where, (radius, radius), tint["accent"], _TORSO))
    elif traits.top in ("coat", "dress", "suit", "sweater") and chance.true(0.6):
        for k in range(int(chance.rng.integers(2, 5))):
            found.append(Stamp("ellipse", (0, top - (0.16 + 0.15 * k) * span), (0.02, 0.02), tint["gold"], trunk))
    if chance.true(0.3):
        radius = chance.between(0.25, 0.45) * chest
        emblem, where = chance.pick(*EMBLEMS), (0, frame.trunk(0.66))
        found.append(Stamp(emblem, where, (radius, radius), tint["top2"], ("torso", "cape"), side=-1))
    if traits.sash or traits.bag == "satchel":
        where, tone = (0, frame.trunk(0.66)), tint["accent"] if traits.sash else tint["leather"]
        strap = Stamp("box", where, (0.035, 1), tone, _TORSO, traits.side * 40)
        found += [strap, Stamp(**(strap.__dict__ | {"side": -1}))]
    if traits.bag == "backpack":
        found += Stamp("box", (0.55 * chest, frame.trunk(0.85)), (0.03, 0.3 * span), tint["leather"], _TORSO).mirrored()
    if traits.hem > 0:
        where, tone = (build.gap + 0.3 * build.leg, frame.trunk(0.05)), shade(tint["bottom"], 0.35)
        found += Stamp("arc", where, (0.06, 0.012), tone, ("bottom",), 20, bend=0.02).mirrored()
        if chance.true(0.2):
            patch = (traits.side * build.gap, 0.55 * build.crotch)
            found.append(Stamp("box", patch, (0.05, 0.045), tint["accent"], ("bottom",), 10))
    if traits.shoes in ("shoes", "sneakers"):
        found.append(Stamp("box", (0, -0.5), (2, 0.522), tint["light"], ("shoe",), side=0))
    return found
