"""The material library of an OBJ file."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace

from specsia_build.characters.images import IMAGE_ENDING

_OPTION_WORDS = {
    "-blendu": 1,
    "-blendv": 1,
    "-boost": 1,
    "-mm": 2,
    "-texres": 1,
    "-clamp": 1,
    "-bm": 1,
    "-imfchan": 1,
    "-type": 1,
    "-cc": 1,
    "-colorspace": 1,
}

_SLOTS = {
    **dict.fromkeys(("map_kd", "map_basecolor", "map_base_color", "map_albedo", "map_diffuse"), "map_kd"),
    "map_ka": "map_ka",
    **dict.fromkeys(("map_d", "map_opacity"), "map_d"),
    **dict.fromkeys(("map_ke", "map_emissive"), "map_ke"),
}
"""What the maps that are kept are called, by the words that programs write."""

_CONTINUED = re.compile(r"(?m)^([^#\n]*[ \t])\\[ \t]*\n")
_FOLLOWED = re.compile(rf'("?)(.*{IMAGE_ENDING})\1\s*([;#].*|\s-[a-z].*)', re.IGNORECASE)
_ENDS = re.compile(rf'.*{IMAGE_ENDING}"?', re.IGNORECASE)


@dataclass(frozen=True)
class MapReference:
    """A texture as a material names it; uv' = scale * uv + offset, in the OBJ's own UV (v up)."""

    name: str
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False


@dataclass(frozen=True)
class MtlMaterial:
    """A material as written: colours 0-1 in display (sRGB) encoding, opacity 0-1, and maps by name, the last first."""

    name: str
    diffuse: tuple[float, float, float] = (1.0, 1.0, 1.0)
    opacity: float = 1.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    maps: dict[str, tuple[MapReference, ...]] = field(default_factory=dict)


def parse_mtl(text: str) -> dict[str, MtlMaterial]:
    """Materials by name; what cannot be understood is left at its default.

    Args:
        text: the library. Of its maps, ``map_kd``, ``map_ka``, ``map_d`` and ``map_ke`` are kept, under these names.
    """
    materials: dict[str, MtlMaterial] = {}
    current: MtlMaterial | None = None
    for line in _CONTINUED.sub(r"\1 ", "\n".join(text.splitlines())).split("\n"):
        keyword, _, rest = line.strip().replace("\t", " ").partition(" ")
        keyword, rest = keyword.lower(), rest.strip()
        if keyword == "newmtl":
            current = MtlMaterial(rest)
        elif current is not None:
            current = _with_statement(current, keyword, rest)
        if current is not None:
            materials[current.name] = current
    return materials


def _with_statement(material: MtlMaterial, keyword: str, rest: str) -> MtlMaterial:
    if keyword in ("kd", "ke"):
        colour = _numbers(rest)
        if len(colour) == 1:
            colour = colour * 3
        if len(colour) < 3:
            return material
        rgb = (_unit(colour[0]), _unit(colour[1]), _unit(colour[2]))
        return replace(material, diffuse=rgb) if keyword == "kd" else replace(material, emissive=rgb)
    if keyword in ("d", "tr"):
        value = _numbers(rest.removeprefix("-halo").strip())
        if not value:
            return material
        # Exporters disagree on whether Tr is transparency; "Tr 1" for something wholly opaque is the common mistake.
        if keyword == "tr":
            return material if value[0] >= 1 else replace(material, opacity=_unit(1 - value[0]))
        return replace(material, opacity=_unit(value[0]))
    if (slot := _SLOTS.get(keyword)) is not None:
        reference = parse_map(rest)
        if reference.name:
            return replace(material, maps={**material.maps, slot: (reference, *material.maps.get(slot, ()))})
    return material


def parse_map(rest: str) -> MapReference:
    """A map statement's options and file name; the name may hold spaces.

    Options may stand behind a name that ends as images do; a comment or a semicolon there is no part of it.
    """
    followed = None if _ENDS.fullmatch(rest) else _FOLLOWED.fullmatch(rest)
    if followed is not None:
        rest = f"{re.sub('[;#].*', '', followed[3]).strip()} {followed[2]}".lstrip()
    words = rest.split(" ")
    scale, offset, clamp = (1.0, 1.0), (0.0, 0.0), False
    k = 0
    while k < len(words):
        option = words[k].lower()
        if option == "":
            k += 1
        elif option in ("-s", "-o", "-t"):
            taken = 0
            while taken < 3 and k + 1 + taken < len(words) and _numbers(words[k + 1 + taken]):
                taken += 1
            values = _numbers(" ".join(words[k + 1 : k + 1 + taken]))
            default = 1.0 if option == "-s" else 0.0
            pair = (values[0] if values else default, values[1] if len(values) > 1 else default)
            scale, offset = (pair if option == "-s" else scale), (pair if option == "-o" else offset)
            k += 1 + taken
        elif option in _OPTION_WORDS:
            clamp = clamp or (option == "-clamp" and words[k + 1 : k + 2] == ["on"])
            k += 1 + _OPTION_WORDS[option]
        else:
            break
    return MapReference(" ".join(words[k:]).strip(), scale, offset, clamp)


def _numbers(text: str) -> list[float]:
    """The finite numbers that a text begins with."""
    numbers = []
    for word in text.split():
        try:
            value = float(word)
        except ValueError:
            break
        if not math.isfinite(value):
            break
        numbers.append(value)
    return numbers


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)
