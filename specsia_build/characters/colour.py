"""Characters that view 0 shows in one colour, and the images that may be their textures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.humanoid import words_of
from specsia_build.characters.character import SETTLED, Character, legible
from specsia_build.characters.doubts.doubt import Doubt, Fix
from specsia_build.characters.doubts.looks import has_colours, plain_colour
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.files.listing import IMAGE_KINDS, is_of_images, listing
from specsia_build.files.sources import is_file

_MOST_IMAGES, _MOST_LISTED = 3, 2000


def one_colour(character: Character, color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> Iterator[Doubt]:
    """The doubt about a character whose view 0 shows one colour, white too, and the image that may be its texture.

    Args:
        character: what was drawn.
        color, coverage: (S, S, 4) and (S, S), view 0 without shading.
    """
    mesh, entry = character.mesh, character.entry
    plain = None if has_colours(mesh) else plain_colour(color, coverage)
    if plain is None:
        return
    problem = f"{legible(entry.path.name)} shows one plain {plain} in view 0"
    bare = all(mesh.materials[k].texture is None for k in np.unique(mesh.face_material))
    if not bare or mesh.uv is None or entry.format in SETTLED:
        yield Doubt(f"{problem} and nothing else: look at it, and at its textures")
        return
    images = [os.path.relpath(path, entry.within).replace(os.sep, "/") for path in _images(character)]
    if not images:
        yield Doubt(f'{problem}: no image was found for it; name one as "texture" in its manifest line')
        return
    lines = " or ".join(f'"texture": "{image}"' for image in images)
    why = "an image of the character's name, which it does not show"
    fix = Fix("texture", images[0], why) if len(images) == 1 else None
    yield Doubt(f"{problem}; {lines} in its manifest line would colour it", fix=fix)


def _images(character: Character) -> list[Path]:
    """Images that a file names and does not show, or else those near it that are called like it."""
    entry = character.entry
    named = [path for path in dict.fromkeys(character.files) if path.suffix.lower() in IMAGE_SUFFIXES and is_file(path)]
    if named:
        return named[:_MOST_IMAGES]
    folder = entry.path.parent
    folders = [
        folder,
        *(top / name for top in (folder, folder.parent) for name in listing(top).names if is_of_images(name)),
    ]
    wanted = {_core(name) for name in (entry.path.stem, entry.id)} - {""}
    near = [place / name for place in folders if place.is_dir() for name in listing(place).names[:_MOST_LISTED]]
    near = [path for path in near if path.suffix.lower() in IMAGE_SUFFIXES and _core(path.stem)]
    exact = [path for path in near if _core(path.stem) in wanted]
    return (exact or [p for p in near if any(len(w) > 2 and w in _core(p.stem) for w in wanted)])[:_MOST_IMAGES]


def _core(name: str) -> str:
    """A name without the words that say what kind of image it is."""
    return "".join(word for word in words_of(name) if not IMAGE_KINDS.fullmatch(word))
