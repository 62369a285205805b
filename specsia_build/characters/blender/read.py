"""The mesh of a character that only Blender can read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.blender.kept import SCENES, Script, arrays_of, facts_of, read_once
from specsia_build.characters.blender.rig import read_rig
from specsia_build.characters.cutouts import Channel, opacity_in, with_opacity
from specsia_build.characters.images import as_texture, load_texture
from specsia_build.characters.landmarks import Landmark
from specsia_build.characters.raw import RawMesh, RawMoving
from specsia_build.characters.side_files import SideFiles
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import AlphaMode, Material, Mesh, Texture, Wrap

SCRIPT = Script("mesh", ("read_character.py", "material_reader.py", *SCENES))


def read_with_blender(
    path: Path,
    *,
    texture: Path | None = None,
    drop: Sequence[str] = (),
    pose: str = "rest",
    root: Path | None = None,
    moving: bool = False,
) -> RawMesh:
    """The character of an FBX or .blend file: what a render would show, posed, modifiers and skins applied.

    Blender reads a file once; its plain arrays are kept under the digest of its bytes, so the next reading needs no
    Blender. Textures inside the file are kept with them; others are looked up inside the file's folder and nowhere
    else, by the last part of the name that the file gives.

    Args:
        path: the file.
        texture: base-colour image for materials without a texture; it replaces their colour.
        drop: names of parts to leave out: of an object, its mesh, or an object above it.
        pose: ``rest``, or the name of an action with an optional ``@frame``, as `actions.chosen` reads it; without one
            its first frame.
        root: folder that no file may lie outside of, links followed; None is the file's own.
        moving: read what moves it too.

    Returns:
        The mesh in Blender's axes, Z up, facing -Y.

    Raises:
        CharacterError: if the file cannot be read, there is no Blender, or nothing is left of it.
        WriteError: if what was read cannot be kept.
    """
    files = SideFiles(path, root)
    kept = read_once(path, pose, SCRIPT, files.root)
    raw = _assemble(path, kept, texture, drop, files)
    return replace(raw, moving=_moving(path, raw.mesh, files.root)) if moving else raw


def _moving(path: Path, mesh: Mesh, root: Path) -> RawMoving:
    found = read_rig(path, root=root)
    if len(found.rig.points) != len(mesh.vertices):
        raise CharacterError(
            f"{path.name} has {len(found.rig.points)} vertices at rest and {len(mesh.vertices)} in its pose, so that "
            "it cannot be moved: leave 'pose' out"
        )
    return found


@dataclass(frozen=True)
class _Images:
    """The images that a kept file names, each looked up and decoded once."""

    path: Path
    kept: Path
    described: list[dict[str, Any]]
    files: SideFiles
    warnings: dict[str, None]
    pixels: dict[int, NDArray[np.uint8] | None]

    def get(self, index: int) -> NDArray[np.uint8] | None:
        if index not in self.pixels:
            self.pixels[index] = self._load(self.described[index])
        return self.pixels[index]

    def _load(self, image: dict[str, Any]) -> NDArray[np.uint8] | None:
        name = str(image["name"])
        own = name.replace(chr(92), "/").rpartition("/")[2]
        if not image["file"] and own in ("", "."):
            self.warnings[f"{self.path.name} has a texture that names no image; it was left out"] = None
            return None
        label = f"texture '{own}' of {self.path.name}"
        found = self.kept / image["file"] if image["file"] else self.files.find(name)
        if found is None:
            self.warnings[f"{label} is not there; it was left out"] = None
            return None
        try:
            return load_texture(found, label, self.kept if image["file"] else self.files.root)
        except CharacterError as error:
            self.warnings[f"{error}; it was left out"] = None
            return None


def _assemble(path: Path, kept: Path, texture: Path | None, drop: Sequence[str], files: SideFiles) -> RawMesh:
    facts, arrays = facts_of(kept, SCRIPT), arrays_of(kept, SCRIPT)
    warnings: dict[str, None] = dict.fromkeys(f"{path.name}: {text}" for text in facts["warnings"])
    images = _Images(path, kept, facts["images"], files, warnings, {})
    fallback = None if texture is None else as_texture(load_texture(texture, f"texture '{texture.name}'", files.root))
    materials = tuple(_material(m, images, fallback) for m in facts["materials"])

    for name in facts["idle"]:
        files.find(str(name))
    parts: list[list[str]] = facts["parts"]
    left = np.array([not set(names) & set(drop) for names in parts], np.bool_)
    if not left.any():
        raise CharacterError(f"{path.name} has nothing left once its parts are dropped: leave at least one of them in")
    kept_faces = left[arrays["face_part"]]
    chosen = {
        key: np.ascontiguousarray(arrays[key][kept_faces]) if key in arrays else None
        for key in ("faces", "face_material", "uv", "colors", "normals")
    }
    assert chosen["faces"] is not None
    assert chosen["face_material"] is not None
    mesh = Mesh(
        vertices=arrays["vertices"],
        faces=chosen["faces"],
        materials=materials,
        face_material=chosen["face_material"],
        uv=chosen["uv"],
        colors=chosen["colors"],
        normals=chosen["normals"],
    )
    return RawMesh(
        mesh=mesh,
        up="+z",
        front="-y",
        parts=tuple(dict.fromkeys(name for names in parts for name in names)),
        part_names=tuple(map(tuple, parts)),
        face_part=arrays["face_part"][kept_faces],
        files=(*files.tried, *(() if texture is None else (texture,))),
        warnings=(*warnings, *files.warnings()),
        skinned=bool(facts["skinned"]),
        animations=int(facts["animations"]),
        landmarks=_landmarks(facts["landmarks"]),
        rest_landmarks=_landmarks(facts["rest_landmarks"]),
        stated=fallback,
    )


def _landmarks(stored: list[Any]) -> tuple[Landmark, ...]:
    return tuple((name, (float(x), float(y), float(z))) for name, (x, y, z) in stored)


def _material(stored: dict[str, Any], images: _Images, fallback: Texture | None) -> Material:
    r, g, b, a = (float(v) for v in stored["base_color"])
    mode = cast("AlphaMode", stored["alpha_mode"])
    texture = _texture(stored["texture"], images)
    if texture is None and fallback is not None:
        # The colour beside a lost texture is a place-holder: a default grey, most often.
        texture, (r, g, b) = fallback, (1.0, 1.0, 1.0)
    if stored["opacity"] is not None:
        texture = _cut_out(texture, stored["opacity"], images)
    if mode != "opaque" and (texture is None or bool((texture.pixels[..., 3] == 255).all())) and a == 1.0:
        mode = "opaque"
    red, green, blue = (float(v) for v in stored["emissive"])
    return Material(
        name=str(stored["name"]),
        base_color=tuple(min(1.0, max(0.0, v)) for v in (r, g, b, a)),  # type: ignore[arg-type]
        texture=texture,
        emissive=(red, green, blue),
        alpha_mode=mode,
        alpha_cutoff=float(stored["alpha_cutoff"]),
        unlit=bool(stored["unlit"]),
        double_sided=bool(stored["double_sided"]),
    )


def _texture(slot: dict[str, Any] | None, images: _Images) -> Texture | None:
    pixels = None if slot is None else images.get(int(slot["image"]))
    if slot is None or pixels is None:
        return None
    wrap = cast("Wrap", slot["wrap"])
    return as_texture(pixels, (wrap, wrap), bool(slot["nearest"]))


def _cut_out(texture: Texture | None, slot: dict[str, Any], images: _Images) -> Texture | None:
    """The texture with the opacity of another image, or as it is where that is not there."""
    image = images.get(int(slot["image"]))
    if image is None:
        return texture
    opacity = opacity_in(image, cast("Channel", slot["channel"]), turned=bool(slot["turned"]))
    if texture is not None:
        return as_texture(with_opacity(texture.pixels, opacity), texture.wrap, texture.nearest)
    wrap = cast("Wrap", slot["wrap"])
    return as_texture(with_opacity(None, opacity), (wrap, wrap), bool(slot["nearest"]))
