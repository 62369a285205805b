"""Write a character to a file by its ending: GLB by ourselves, OBJ, PLY and STL by `trimesh`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from specsia_build import png
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes
from specsia_build.folders import refuse_foreign_file
from specsia_build.frame import up_rotation
from specsia_build.rendering.mesh import Mesh
from specsia_build.warning import Warning
from specsia_build.writers.baking import TEXELS, repainted
from specsia_build.writers.exported import ExportedCharacter
from specsia_build.writers.glb import write_glb
from specsia_build.writers.vrm import write_vrm

_MARK = "written by specsia"  # In each file, so that another may replace it

_Write = Callable[[Path, ExportedCharacter], tuple[Warning, ...]]


def write_character(
    path: Path, character: ExportedCharacter, texture: int | None = None
) -> tuple[Warning, ...]:
    """Write a character as its file's name ends, whole or not at all; returns warnings on what is left out.

    The path ends in one of `ENDINGS`. `texture` is the number of texels on a side of one texture for all
    materials, which keep their own by default. Raises `UsageError` for another ending, or a file of somebody
    else; `CharacterError` for a character without a surface or height.
    """
    check_file(path)
    character.to_metres()
    if texture is not None:
        character = replace(character, mesh=repainted(character.mesh, texture))
    return ENDINGS[path.suffix.lower()](path, character)


def check_file(path: Path) -> None:
    """Raise `UsageError` if a character cannot be written to a file: its ending, or what is there already."""
    if path.suffix.lower() not in ENDINGS:
        raise UsageError(f"{path} cannot be a character: its name must end in {', '.join(ENDINGS)}")
    beside = (path, path.with_suffix(".mtl")) if path.suffix.lower() == ".obj" else (path,)
    for file in beside:
        refuse_foreign_file(file, "character that specsia wrote", _MARK.encode())
    texture = path.with_suffix(".png")
    if len(beside) > 1 and texture.exists() and not path.exists():
        problem = f"{texture} already exists, where the texture of {path.name} goes"
        raise UsageError(f"{problem}: name another file")


def _left_out(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    """A warning if a rig is left out."""
    if character.rig is None:
        return ()
    sentence = f"{path.name} has no rig, as its format holds none: write a .glb to keep it"
    return (Warning("not-written", sentence, path.name),)


def _write_obj(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    """Write OBJ, with MTL and PNG beside it: one texture for all materials."""
    import trimesh

    mesh = _single(character)
    texture = mesh.materials[0].texture
    assert texture is not None
    shape, stem = mesh.to_trimesh(), path.stem
    image = Image.fromarray(texture.pixels)
    look = trimesh.visual.material.SimpleMaterial(image=image, diffuse=(255, 255, 255, 255))
    look.name = "material"
    shape.visual = trimesh.visual.TextureVisuals(uv=shape.visual.uv, material=look)
    text, _ = trimesh.exchange.obj.export_obj(
        shape, header=_MARK, mtl_name=f"{stem}.mtl", return_texture=True, include_normals=False
    )
    opacity = f"map_d {stem}.png\n" if mesh.materials[0].alpha_mode != "opaque" else ""
    described = f"# {_MARK}\nnewmtl material\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nmap_Kd {stem}.png\n{opacity}"
    pixels = texture.pixels if opacity else np.ascontiguousarray(texture.pixels[..., :3])
    write_bytes(path.with_suffix(".png"), png.encode(pixels))
    write_bytes(path.with_suffix(".mtl"), described.encode())
    write_bytes(path, text.encode())
    return _left_out(path, character)


def _single(character: ExportedCharacter) -> Mesh:
    """The character's mesh in metres with a single textured material, and no colours beside it."""
    mesh = character.in_metres()
    used = [mesh.materials[k] for k in np.unique(mesh.face_material)]
    plain = len(used) == 1 and mesh.colors is None and mesh.uv is not None and used[0].texture is not None
    if plain and used[0].base_color == (1.0, 1.0, 1.0, 1.0) and not any(used[0].emissive):
        return replace(mesh, materials=(used[0],), face_material=np.zeros_like(mesh.face_material))
    return repainted(mesh, TEXELS)


def _z_up(character: ExportedCharacter) -> Mesh:
    """The character's mesh in metres, Z up and facing -Y, as programs expect it in PLY and STL."""
    return character.in_metres().rotated(up_rotation("+y"))


def _write_ply(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    """Write binary PLY with the colours of vertices."""
    import trimesh

    shape = _z_up(character).to_trimesh()
    shape.visual = shape.visual.to_color() if shape.visual.kind == "texture" else shape.visual
    data: bytes = trimesh.exchange.ply.export_ply(shape, vertex_normal=False)
    theirs, ours = b"comment https://github.com/mikedh/trimesh", f"comment {_MARK}".encode()
    write_bytes(path, data.replace(theirs, ours, 1))
    return _left_out(path, character)


def _write_stl(path: Path, character: ExportedCharacter) -> tuple[Warning, ...]:
    """Write binary STL, which holds the shape alone."""
    import trimesh

    data: Any = trimesh.exchange.stl.export_stl(_z_up(character).to_trimesh())
    write_bytes(path, _MARK.encode().ljust(80, b"\0") + data[80:])
    sentence = f"{path.name} has no colours, as STL holds none"
    return (*_left_out(path, character), Warning("not-written", sentence, path.name))


ENDINGS: Mapping[str, _Write] = {
    ".glb": write_glb,
    ".vrm": write_vrm,
    ".obj": _write_obj,
    ".ply": _write_ply,
    ".stl": _write_stl,
}
"""How a character is written, by the ending of its file's name."""
