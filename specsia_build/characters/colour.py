"""Characters that nobody coloured: one plain grey without a texture, and the images that may have been meant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.names import words_of
from specsia_build.characters.character import SETTLED, Entry
from specsia_build.characters.finding import Finding, Mending
from specsia_build.characters.images import IMAGE_SUFFIXES
from specsia_build.characters.opacity import opacities, texels
from specsia_build.characters.shape import surface_samples
from specsia_build.characters.sides import hidden_by
from specsia_build.errors import some
from specsia_build.files.listing import IMAGE_KINDS, is_of_images, listing
from specsia_build.files.sources import is_file
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.rendering.mesh import Mesh

LEAST_GREY = 96
"""Display level from which a plain colour is taken for a default; nobody's default is darker."""

MOST_CHROMA, MOST_CONTRAST = 8, 12
"""Display levels between the channels of a grey, and between two greys that look the same."""

DEFAULTS = (188, 204, 231, 255)
"""Display levels that programs give what nobody coloured: half and 0.8 of the light, 0.8 of the level, white."""

LEAST_OPACITY, MOST_SEE_THROUGH = 0.5, 0.5
"""Opacity below which a surface is more see-through than not, and share of such from which that is said."""

GLASS, MOST_BEHIND_GLASS = "glass", 0.05
"""Word of a material's name that says that one looks through it, and share of a view that it may hide where opaque."""

LEAST_LIGHT, LEAST_BRIGHT, MOST_BLACKENED = 0.005, 64, 0.05
"""Share of an image's light from which it is seen, display level from which a texel shows that one is meant to be, and
share of the surface on which it may be lost."""

_MOST_OF = (0.02, 0.98)
"""Shares between which what counts of a figure's colours lies."""

_FULL = 255
_OTHER_MAP = re.compile(
    r"normals?|nrm|nor|nm|rough(ness)?|metal(lic|ness)?|ao|occlusion|height|bump|spec(ular)?|gloss(iness)?|opacity|alpha|"
    r"emissi(ve|on)|mask|disp(lacement)?|orm|arm|thumb(nail)?|preview"
)
_MOST_LISTED = 2000
_LOOKED_AT = 2000
_MOST_SHOWN = 3


def plain_materials(mesh: Mesh) -> tuple[str, ...] | None:
    """Names of the materials of a mesh that is one plain grey, from mid-grey to white, or of `DEFAULTS` alone.

    None for any other.

    A colour, a second shade, a texture and a glow all say that somebody chose how it looks, colours of vertices where
    more than a few in a hundred of its surface have them.
    """
    shown = [mesh.materials[k] for k in np.unique(mesh.face_material)]
    if any(m.texture is not None or m.emissive_texture is not None or any(m.emissive) for m in shown):
        return None
    colours = np.array([m.base_color[:3] for m in shown])
    if mesh.colors is not None:
        # By the surface that has them: a dark buckle makes no white figure one that somebody coloured.
        _, seen = surface_samples(mesh, _LOOKED_AT)
        base = np.array([m.base_color[:3] for m in mesh.materials])[mesh.face_material[seen], None]
        colours = (base * mesh.colors[seen, :, :3]).reshape(-1, 3)
    levels = linear_to_srgb(np.clip(colours, 0.0, 1.0)) * _FULL
    if not (is_plain(levels) or _is_default(levels)) or np.median(levels) < LEAST_GREY:
        return None
    return tuple(dict.fromkeys(m.name for m in shown))


def is_plain(levels: NDArray[np.floating | np.integer]) -> bool:
    """Whether display colours (N, 3), 0-255, are all the same grey, but for a few in a hundred."""
    if len(levels) == 0:
        return False
    channels = np.ascontiguousarray(levels.T)
    chroma, lightness = channels.max(axis=0) - channels.min(axis=0), channels.sum(axis=0)
    return bool(_range_of(chroma)[1] <= MOST_CHROMA and np.ptp(_range_of(lightness)) <= 3 * MOST_CONTRAST)


def _is_default(levels: NDArray[np.floating]) -> bool:
    """Whether display colours (N, 3) are `DEFAULTS`, as of parts that came from several programs, but for a few."""
    off = np.abs(levels[:, None, :] - np.array(DEFAULTS)[:, None]).max(axis=2).min(axis=1)
    return len(off) > 0 and bool(np.quantile(off, 0.98) <= 1.0)


def plain_picture(color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> str | None:
    """``grey of 203`` or ``colour, #c84f50,`` that a picture (S, S, 4) of a covered (S, S) surface shows nothing but.

    None for any other.
    """
    levels = color[..., :3][coverage == _FULL]
    if is_plain(levels):
        return f"grey of {round(float(np.median(levels)))}"
    if len(levels) == 0 or max(np.ptp(_range_of(channel)) for channel in levels.T) > MOST_CONTRAST:
        return None
    red, green, blue = np.median(levels, axis=0).round().astype(int)
    return f"colour, #{red:02x}{green:02x}{blue:02x},"


def _range_of(values: NDArray[np.floating | np.integer]) -> NDArray[np.float64]:
    """(2,) least and largest of numbers (N,), at least one and none below 0, but for a few in a hundred."""
    if not np.issubdtype(values.dtype, np.integer):
        return np.asarray(np.quantile(values, _MOST_OF))
    # Counted, not sorted: a picture has thousands of pixels and few levels.
    up_to = np.cumsum(np.bincount(values.astype(np.intp)))
    place = (len(values) - 1) * np.array(_MOST_OF)
    below = np.searchsorted(up_to, np.floor(place), side="right")
    above = np.searchsorted(up_to, np.ceil(place), side="right")
    return np.asarray(below + (place - np.floor(place)) * (above - below))


def plain_view(mesh: Mesh, color: NDArray[np.uint8], coverage: NDArray[np.uint8]) -> str | None:
    """What `plain_picture` says of a view of a mesh.

    None where materials without images have several colours: somebody chose them, and one alone is seen from there.
    """
    shown = [mesh.materials[k] for k in np.unique(mesh.face_material)]
    if all(m.texture is None for m in shown):
        levels = linear_to_srgb(np.clip(np.array([m.base_color[:3] for m in shown]), 0.0, 1.0)) * _FULL
        if np.ptp(levels, axis=0).max() > MOST_CONTRAST:
            return None
    return plain_picture(color, coverage)


def colourless(entry: Entry, files: Iterable[Path], mesh: Mesh) -> tuple[Finding, ...]:
    """What to say of a character that nobody coloured, with the images that may have been meant; else nothing.

    Args:
        entry: where it comes from.
        files: that were read for it or looked for in vain; images that are there are named in it and shown nowhere.
        mesh: as read.
    """
    materials = plain_materials(mesh)
    if materials is None or entry.format in SETTLED:
        return ()
    named = ", ".join(f"'{name}'" for name in materials[:_MOST_SHOWN] if name)
    named += " and others" if len(materials) > _MOST_SHOWN else ""
    bare = (
        f"material {named} has" if len(materials) == 1 and named else f"materials {named} have" if named else "it has"
    )
    grey = f"{entry.path.name} is one plain grey: {bare} no image and no colour"
    if mesh.uv is None:
        return (Finding(f"{grey}, its vertices have none, and without texture coordinates no image can colour it"),)
    images = dict.fromkeys(path for path in files if path.suffix.lower() in IMAGE_SUFFIXES)
    idle = [path for path in images if is_file(path)]
    vain = list(dict.fromkeys(path.name for path in images if path not in idle))
    looked = f"looked for {', '.join(vain[:_MOST_SHOWN])}" if vain else "it names no image"
    if idle:
        looked = f"no material shows {some([path.name for path in idle], _MOST_SHOWN)}, which it names"
    each = _images_by_material(entry.path, materials)
    if len(set(each.values())) > 1 and not idle:
        pairs = [f"\"{_place(image, entry)}\" like '{name}'" for name, image in each.items()]
        told = f"{grey} ({looked}), but images near it are called like its materials ({some(pairs, _MOST_SHOWN)})"
        return (Finding(f'{told}: a "texture" would colour all alike, so give each its own where they were made'),)
    near = idle[:_MOST_SHOWN] or images_by_name(entry.path, (entry.id, *materials))
    places = [_place(image, entry) for image in near]
    if not places:
        return (Finding(f'{grey} ({looked}, and none near it is called like it): name one as "texture" in its line'),)
    shown = " or ".join(f'"texture": "{place}"' for place in places)
    why = "named by the file, which shows it nowhere" if idle else "called like the character, which has no colour"
    sole = Mending("texture", places[0], why)
    return (
        Finding(f"{grey} ({looked}); {shown} in its manifest line would colour it", sole if not places[1:] else None),
    )


def _place(image: Path, entry: Entry) -> str:
    """An image as a line of a manifest in the source's folder names it."""
    return os.path.relpath(image, entry.within).replace(os.sep, "/")


def see_through(entry: Entry, mesh: Mesh) -> tuple[Finding, ...]:
    """What to say of a character most of which is as faint as glass, or is not to be seen; else nothing."""
    if all(material.alpha_mode == "opaque" for material in mesh.materials):
        return ()
    _, faces = surface_samples(mesh, _LOOKED_AT)
    # What nobody sees, as a shell that is clicked at, makes nothing faint.
    seen = np.array([m.alpha_mode != "blend" or m.base_color[3] > 0 for m in mesh.materials])[mesh.face_material[faces]]
    faces = faces[seen | ~seen.any()]
    slots, opacity = mesh.face_material[faces], opacities(mesh, faces)
    # Cards of hair are mostly see-through around what is solid of them.
    solid = {slot: float(np.quantile(opacity[slots == slot], 0.9)) for slot in np.unique(slots).tolist()}
    faint = [slot for slot, most in solid.items() if most < LEAST_OPACITY]
    counts = np.bincount(slots, minlength=len(mesh.materials))
    if sum(counts[slot] for slot in faint) <= MOST_SEE_THROUGH * len(slots):
        return ()
    slot = max(faint, key=lambda slot: int(counts[slot]))
    material = mesh.materials[slot]
    by = ""
    if solid[slot] < material.base_color[3]:
        by = " by its image" if texels(mesh, faces[slots == slot])[:, 3].min() < _FULL else " by colours of vertices"
    return (
        Finding(
            f"{entry.path.name} is mostly see-through: its material '{material.name}' has an opacity of "
            f"{solid[slot]:.0%}{by}, so that it will look faint; raise that in the file if it is not meant"
        ),
    )


def blackened(entry: Entry, mesh: Mesh) -> tuple[Finding, ...]:
    """What to say of a character whose images are multiplied by black, so that nobody sees them; else nothing."""
    _, faces = surface_samples(mesh, _LOOKED_AT)
    slots = mesh.face_material[faces]
    factor = np.array([m.base_color[:3] for m in mesh.materials]).max(axis=1)
    light = factor[slots] if mesh.colors is None else factor[slots] * mesh.colors[faces, :, :3].max(axis=(1, 2))
    shows = np.array([m.texture is not None and not any(m.emissive) for m in mesh.materials])[slots]
    lost = shows & (light < LEAST_LIGHT)
    lost[lost] = texels(mesh, faces[lost])[:, :3].max(axis=1) > LEAST_BRIGHT
    if np.count_nonzero(lost) <= MOST_BLACKENED * len(lost):
        return ()
    slot = int(np.bincount(slots[lost]).argmax())
    dark = "its base colour" if factor[slot] < LEAST_LIGHT else "the colours of its vertices"
    return (
        Finding(
            f"{entry.path.name}: {lost.mean():.0%} of its surface is black where its image is not, as that of material "
            f"'{mesh.materials[slot].name}' is multiplied by black: make {dark} white where it was made"
        ),
    )


def opaque_glass(entry: Entry, mesh: Mesh) -> tuple[Finding, ...]:
    """What to say of a character that an opaque material hides which is called glass; else nothing."""
    glass = np.array([m.alpha_mode == "opaque" and GLASS in words_of(m.name) for m in mesh.materials], np.bool_)
    chosen = glass[mesh.face_material]
    if not chosen.any() or chosen.all() or (hidden := hidden_by(mesh, chosen)) <= MOST_BEHIND_GLASS:
        return ()
    name = mesh.materials[int(mesh.face_material[chosen][0])].name
    return (
        Finding(
            f"{entry.path.name}: the material '{name}' is opaque in the file and hides what {hidden:.0%} of a view "
            f'would show behind it: give it an opacity where it was made, or leave its part out ("drop")'
        ),
    )


def images_by_name(mesh_file: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Images near a mesh file that are called like it, or like one of `names`: those that fit best, in order.

    Looked through are its folder and the one above, and in each the folders that exporters put textures in. Normal maps
    and their like are passed over.
    """
    return _best(_cores_near(mesh_file.parent), (mesh_file.stem, *names))[:_MOST_SHOWN]


def _images_by_material(mesh_file: Path, materials: Iterable[str]) -> dict[str, Path]:
    """The image near a mesh file that is called like a material, for each that one alone fits best."""
    cores = _cores_near(mesh_file.parent)
    found = {name: _best(cores, (name,)) for name in materials}
    return {name: images[0] for name, images in found.items() if len(images) == 1}


def _best(cores: dict[Path, str], names: Iterable[str]) -> tuple[Path, ...]:
    """The images that fit one of the names best, in order."""
    wanted = {_core(name) for name in names} - {""}
    fits = {path: max((_fit(core, name) for name in wanted), default=0) for path, core in cores.items()}
    best = max(fits.values(), default=0)
    return tuple(path for path, fit in fits.items() if fit == best > 0)


def _cores_near(folder: Path) -> dict[Path, str]:
    """What images near a folder's mesh files are called at the core, but for normal maps and their like."""
    near = [path for path in _images_near(folder) if not any(map(_OTHER_MAP.fullmatch, words_of(path.stem)))]
    return {path: core for path in near if (core := _core(path.stem))}


def _fit(image: str, name: str) -> int:
    if image == name:
        return 2
    shorter, longer = sorted((image, name), key=len)
    return int(len(shorter) >= 3 and shorter in longer)


def _core(name: str) -> str:
    """What is left of a name without words that no character is called by."""
    return "".join(word for word in words_of(name) if not IMAGE_KINDS.fullmatch(word))


def _images_near(folder: Path) -> list[Path]:
    found: list[Path] = []
    for top in (folder, folder.parent):
        folders = [top] if top == folder else []
        folders += [top / name for name in _names(top) if is_of_images(name) and (top / name).is_dir()]
        for place in folders:
            found += [place / name for name in _names(place) if name.lower().endswith(IMAGE_SUFFIXES)]
    return found


def _names(folder: Path) -> tuple[str, ...]:
    return listing(folder).names[:_MOST_LISTED]
