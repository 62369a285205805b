"""The material library of an OBJ file."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace

_OPTION_WORDS = dict.fromkeys(
    ("-blendu", "-blendv", "-boost", "-texres", "-clamp", "-bm", "-imfchan", "-type", "-cc", "-colorspace"), 1
) | {"-mm": 2}
"""Options of a map that are passed over, and how many words follow each."""

_SLOTS = {
    **dict.fromkeys(("map_kd", "map_basecolor", "map_base_color", "map_albedo", "map_diffuse"), "map_kd"),
    "map_ka": "map_ka",
    **dict.fromkeys(("map_d", "map_opacity"), "map_d"),
    **dict.fromkeys(("map_ke", "map_emissive"), "map_ke"),
}
"""The maps that are kept, by the words that programs write."""

_CONTINUED = re.compile(r"(?m)^([^#\n]*[ \t])\\[ \t]*\n")


@dataclass(frozen=True)
class MapReference:
    """A texture as a material names it; uv' = scale * uv + offset, in the OBJ's own UV (v up)."""

    name: str
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    clamp: bool = False


@dataclass(frozen=True)
class MtlMaterial:
    """A material as written: colours 0-1 in display (sRGB) encoding, opacity 0-1, and a map per slot."""

    name: str
    diffuse: tuple[float, float, float] = (1.0, 1.0, 1.0)
    opacity: float = 1.0
    emissive: tuple[float, float, float] = (0.0, 0.0, 0.0)
    maps: dict[str, MapReference] = field(default_factory=dict)


def parse_mtl(text: str) -> dict[str, MtlMaterial]:
    """Materials by name; what cannot be understood is left at its default."""
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
        colour = [_unit(value) for value in _numbers(rest)]
        if len(colour) == 1 or len(colour) >= 3:
            r, g, b = (colour * 3)[:3] if len(colour) == 1 else colour[:3]
            return replace(material, diffuse=(r, g, b)) if keyword == "kd" else replace(material, emissive=(r, g, b))
    elif keyword in ("d", "tr") and (value := _numbers(rest.removeprefix("-halo").strip())):
        # Exporters disagree on whether Tr is transparency; "Tr 1" for something wholly opaque is the common mistake.
        if keyword == "tr":
            return material if value[0] >= 1 else replace(material, opacity=_unit(1 - value[0]))
        return replace(material, opacity=_unit(value[0]))
    elif (slot := _SLOTS.get(keyword)) is not None and (reference := parse_map(rest)).name:
        return replace(material, maps={**material.maps, slot: reference})
    return material


def parse_map(rest: str) -> MapReference:
    """A map statement's options and file name; the name may hold spaces."""
    words = rest.split(" ")
    scale, offset, clamp = (1.0, 1.0), (0.0, 0.0), False
    k = 0
    while k < len(words):
        option = words[k].lower()
        if option == "":
            k += 1
        elif option in ("-s", "-o", "-t"):
            values = _numbers(" ".join(words[k + 1 : k + 4]))
            default = 1.0 if option == "-s" else 0.0
            pair = (values[0] if values else default, values[1] if len(values) > 1 else default)
            scale, offset = (pair if option == "-s" else scale), (pair if option == "-o" else offset)
            k += 1 + len(values)
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
