"""Variants of one hairdo or garment that a file shows all at once, of which its character wears one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.names import words_of
from specsia_build.characters.shape import surface_samples
from specsia_build.rendering.mesh import Mesh, face_normals

LEAST_SHARED = 0.7
"""Share of what the smaller of two variants shows that the other shows, too; halves of one hairdo share little."""

LEAST_SIZE = 0.4
"""How much the smaller shows, in what the larger does; a lock is no variant of the hairdo that it lies upon."""

_WORN = re.compile(
    r"hair|hairs|hairstyle|hairdo|haircut|wig|beard|mustache|moustache|hat|helmet|mask|outfit|costume|clothes|clothing|cloth|"
    r"uniform|armou?r|dress|skirt|shirt|tshirt|top|blouse|sweater|hoodie|jacket|coat|vest|pants|trousers|jeans|shorts|"
    r"shoes?|boots?|swimsuit|bikini|suit|髪|髪型|服|衣装"
)
_FILLER = re.compile(r"v|ver|version|var|variant|variation|alt|option|style|type|mesh|geo|lod0")
_STYLE = re.compile(
    r"short|long|medium|curly|straight|wavy|bob|afro|buns?|braids?|braided|dreads|dreadlocks|ponytail|pigtails|twintails|mohawk|"
    r"buzz|buzzed|buzzcut|parted|spiky|casual|formal|sport|sporty|summer|winter|school|beach|night|party|default"
)
_NUMBERED = re.compile(r"(\D*)0*(\d{1,2})")
_POINTS, _CELLS = 4000, 24


def variants_of(mesh: Mesh, numbers: NDArray[np.int32], part_names: Sequence[Sequence[str]]) -> list[list[set[int]]]:
    """Parts of each variant of what is there in several that lie in one place, in the order of the file.

    Names alone do not tell, as a hairdo may come in numbered locks, nor do surfaces, as a coat lies upon a shirt.

    Args:
        mesh: Z up.
        numbers: (F,) part of each face.
        part_names: of each part.
    """
    named: dict[str, dict[str, set[int]]] = {}
    for part in np.unique(numbers).tolist():
        told = next(filter(None, map(_variant, part_names[part])), None)
        if told is not None:
            named.setdefault(told[0], {}).setdefault(told[1], set()).add(part)
    found = []
    for variants in named.values():
        if len(variants) > 1 and _are_a_series(list(variants)):
            shown = [_shown(mesh, np.isin(numbers, [*parts])) for parts in variants.values()]
            pairs = [pair for pair in combinations(range(len(shown)), 2) if _share_a_place(*(shown[k] for k in pair))]
            # What is short may share less with what is long than with one between them.
            if {k for pair in pairs for k in pair} == set(range(len(shown))):
                found.append(list(variants.values()))
    return found


def _variant(name: str) -> tuple[str, str] | None:
    """What a part is a variant of, and which; None where its name says neither."""
    # Programs put numbers of their own behind names that are there twice.
    words = [word for word in words_of(re.sub(r"\.\d{3}$", "", name)) if not _FILLER.fullmatch(word)]
    if words and (numbered := _NUMBERED.fullmatch(words[-1])) is not None:
        stem = numbered[1] if _FILLER.fullmatch(numbered[1]) is None else ""
        words = [*words[:-1], *([stem] if stem else []), numbered[2]]
    if len(words) < 2 or not any(_WORN.fullmatch(word) for word in words[:-1]):
        return None
    which = words[-1]
    is_one = which.isdecimal() or _STYLE.fullmatch(which) or (len(which) == 1 and "a" <= which <= "z")
    return (" ".join(words[:-1]), which) if is_one else None


def _are_a_series(which: Sequence[str]) -> bool:
    """Whether all are numbers, or styles, or letters that follow each other, as those of left and right do not."""
    if all(len(one) == 1 and one.isalpha() for one in which):
        letters = sorted(map(ord, which))
        return letters[-1] - letters[0] == len(letters) - 1
    return all(one.isdecimal() for one in which) or not any(one.isdecimal() or len(one) == 1 for one in which)


def _shown(mesh: Mesh, faces: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Points (N, 3) of some faces, and the side (N,) of six that each mostly shows itself to."""
    one = replace(mesh, faces=mesh.faces[faces])
    points, chosen = surface_samples(one, _POINTS)
    normals = face_normals(one)[chosen]
    axis = np.abs(normals).argmax(axis=1)
    return points, 2 * axis + (np.take_along_axis(normals, axis[:, None], axis=1)[:, 0] > 0)


def _share_a_place(
    one: tuple[NDArray[np.float64], NDArray[np.intp]], other: tuple[NDArray[np.float64], NDArray[np.intp]]
) -> bool:
    """Whether two surfaces show themselves to the same sides in the same places."""
    low = np.minimum(one[0].min(axis=0), other[0].min(axis=0))
    extent = max(float((np.maximum(one[0].max(axis=0), other[0].max(axis=0)) - low).max()), 1e-12)
    first, second = (_cells((points - low) / extent, sides) for points, sides in (one, other))
    smaller, larger = sorted((len(first), len(second)))
    return len(first & second) >= LEAST_SHARED * smaller and smaller >= LEAST_SIZE * larger


def _cells(places: NDArray[np.float64], sides: NDArray[np.intp]) -> set[tuple[int, ...]]:
    """Cells of six pictures that points (N, 3) in the unit cube are seen in, each from its side (N,)."""
    cells = (places * (_CELLS - 1)).round().astype(int)
    plane = np.array([[1, 2], [0, 2], [0, 1]])[sides // 2]
    seen = np.column_stack([sides, np.take_along_axis(cells, plane, axis=1)])
    return set(map(tuple, np.unique(seen, axis=0).tolist()))
