"""Wavefront OBJ files."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.images import as_texture, load_texture
from specsia_build.characters.normals import unit_normals, with_flat_gaps
from specsia_build.characters.obj.materials import MaterialBuilder, ObjMaterial, read_libraries
from specsia_build.characters.obj.text import Ints, ObjText, parse_obj
from specsia_build.characters.polygons import triangulate
from specsia_build.characters.raw import RawMesh
from specsia_build.characters.repeated import without_repeated_colours
from specsia_build.characters.side_files import SideFiles
from specsia_build.characters.words import full_scale
from specsia_build.errors import CharacterError, plural
from specsia_build.rendering.colour import srgb_to_linear
from specsia_build.rendering.mesh import Mesh


def read_obj(
    path: Path, *, texture: Path | None = None, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read an OBJ file with its material libraries and textures.

    Quads are cut along their shorter diagonal, larger polygons are fanned from their first corner. Objects and groups
    are the parts. Kd, Ke and vertex colours (``v x y z r g b``) are taken as display colours,
    sRGB-encoded. A texture replaces Kd. Texture names count by their last part and are looked up in the file's own
    folder and below it; where one, or the library, is not there, an image named like the OBJ stands in.

    Args:
        path: the file.
        texture: base colour for materials without one.
        drop: names of parts to leave out.
        root: folder that no file may lie outside of, links followed; None is the file's own.

    Returns:
        The mesh in the file's coordinates, ``up`` +y, ``front`` -y.

    Raises:
        CharacterError: if the file or `texture` cannot be read, or no face is left.
    """
    files = SideFiles(path, root)
    text = parse_obj(files.read(path), path.name)
    libraries, warnings = read_libraries(files, [s.value for s in text.statements if s.keyword == "mtllib"])
    override = None if texture is None else as_texture(load_texture(texture, texture.name, files.root))
    builder = MaterialBuilder(
        files,
        libraries,
        library_warnings=warnings,
        override=override,
        own_image=len(text.uv) > 0 and text.point_colors is None,
    )
    read = _assemble(text, drop, builder, path.name)
    mesh, repeated = without_repeated_colours(read.mesh, path.name)
    looked_up = files.tried if texture is None else (*files.tried, texture)
    told = (*files.warnings(), *builder.warnings, *repeated, *_left_out(text, path.name))
    return replace(read, mesh=mesh, files=looked_up, warnings=told, stated=override)


def read_obj_with_image(
    path: Path, image: Path | None, *, drop: Collection[str] = (), root: Path | None = None
) -> RawMesh:
    """Read an OBJ file as one material with the given image (or none), whatever its libraries say.

    Raises:
        CharacterError: as `read_obj`.
    """
    files = SideFiles(path, root)
    text = parse_obj(files.read(path), path.name)
    plain = replace(text, statements=tuple(s for s in text.statements if s.keyword in ("o", "g")))
    texture = None if image is None else as_texture(load_texture(image, image.name, files.root))
    builder = MaterialBuilder(files, {}, library_warnings=(), override=texture, own_image=False)
    read = _assemble(plain, drop, builder, path.name)
    warnings = (*builder.warnings, *_left_out(text, path.name))
    return replace(read, files=(path,) if image is None else (path, image), warnings=warnings)


@dataclass(frozen=True)
class _Labels:
    """What each face belongs to.

    Attributes:
        part: (F,) into `part_names`, the names of group and object in force.
        material: (F,) into `material_names`.
        names: every object and group name in file order.
    """

    part: Ints
    part_names: tuple[tuple[str, ...], ...]
    material: Ints
    material_names: tuple[str | None, ...]
    names: tuple[str, ...]

    def kept(self, drop: Collection[str]) -> NDArray[np.bool_]:
        """Which faces lie in none of the named parts, (F,)."""
        dropped = [k for k, names in enumerate(self.part_names) if set(names) & set(drop)]
        return ~np.isin(self.part, dropped)


def _label_faces(text: ObjText) -> _Labels:
    parts: dict[tuple[str, ...], int] = {(): 0}
    part_at, part_lines = [0], [-1]
    materials: list[str | None] = [None]
    material_lines = [-1]
    obj = group = ""
    for statement in text.statements:
        if statement.keyword == "usemtl":
            materials.append(statement.value)
            material_lines.append(statement.line)
        elif statement.keyword in ("o", "g"):
            if statement.keyword == "o":
                obj, group = statement.value, ""
            else:
                group = statement.value
            part_at.append(parts.setdefault(tuple(dict.fromkeys(filter(None, (group, obj)))), len(parts)))
            part_lines.append(statement.line)
    return _Labels(
        part=np.array(part_at)[np.searchsorted(np.array(part_lines), text.face_line) - 1],
        part_names=tuple(parts),
        material=np.searchsorted(np.array(material_lines), text.face_line) - 1,
        material_names=tuple(materials),
        names=tuple(dict.fromkeys(s.value for s in text.statements if s.keyword in ("o", "g") and s.value)),
    )


def _assemble(text: ObjText, drop: Collection[str], builder: MaterialBuilder, name: str) -> RawMesh:
    """The mesh of the faces that lie in none of the named parts."""
    labels = _label_faces(text)
    keep = labels.kept(drop)
    if len(text.face_line) == 0:
        told = f"{name} has no faces" + (", but curved surfaces (surf): export it as polygons" if text.curved else "")
        raise CharacterError(told)
    if not keep.any():
        raise CharacterError(f"every part of {name} is dropped: no face is left")
    triangles, face = triangulate(text.points, text.corners[:, 0], text.first, keep)
    if len(triangles) == 0:
        raise CharacterError(f"{name} has no faces with three corners or more")
    point, uv_at, normal_at = (text.corners[:, k][triangles] for k in range(3))
    face_material, built = _materials(labels, face, builder)
    uv = _uv(text, uv_at, face_material, built)
    painted = np.array([b.material.texture is not None or b.material.emissive_texture is not None for b in built])
    unplaced = (uv_at < 0).any(axis=1) & painted[face_material]
    if unplaced.any():
        share = f"{np.count_nonzero(unplaced):,} of {plural(len(unplaced), 'triangle')}"
        builder.warnings[
            f"{share} of {name} have a texture and no texture coordinates for it: they show the colour of its corner"
        ] = None
    with np.errstate(over="ignore"):
        vertices = text.points.astype(np.float32)
    mesh = Mesh(
        vertices=vertices,
        faces=point.astype(np.int32),
        materials=tuple(b.material for b in built),
        face_material=face_material,
        uv=uv,
        colors=_colors(text, point),
    )
    return RawMesh(
        mesh=_with_normals(mesh, text.normals, normal_at),
        parts=labels.names,
        part_names=labels.part_names,
        face_part=labels.part[face].astype(np.int32),
    )


def _materials(
    labels: _Labels, face: Ints, builder: MaterialBuilder
) -> tuple[NDArray[np.int32], tuple[ObjMaterial, ...]]:
    """Material of each triangle, and the materials in use, in order of first use, one for each name."""
    stretches, inverse = np.unique(labels.material[face], return_inverse=True)
    names = [labels.material_names[k] for k in stretches.tolist()]
    order = list(dict.fromkeys(names))
    place = {name: k for k, name in enumerate(order)}
    index = np.array([place[name] for name in names], np.int32)
    return index[inverse], builder.build_all(order)


def _uv(
    text: ObjText, at: Ints, face_material: NDArray[np.int32], built: tuple[ObjMaterial, ...]
) -> NDArray[np.float32] | None:
    if len(text.uv) == 0 or not (at >= 0).any():
        return None
    uv = np.where((at >= 0)[..., None], text.uv[at], 0.0)
    placements = [b.placement for b in built]
    if any(p.scale != (1.0, 1.0) or p.offset != (0.0, 0.0) for p in placements):
        scale, offset = np.array([p.scale for p in placements]), np.array([p.offset for p in placements])
        uv = uv * scale[face_material][:, None] + offset[face_material][:, None]
    with np.errstate(over="ignore"):
        return np.stack([uv[..., 0], 1.0 - uv[..., 1]], axis=-1).astype(np.float32)


def _colors(text: ObjText, point: Ints) -> NDArray[np.float32] | None:
    if text.point_colors is None:
        return None
    encoded = text.point_colors / full_scale(text.point_colors)
    linear = np.ones((len(encoded), 4), np.float32)
    linear[:, :3] = srgb_to_linear(np.nan_to_num(encoded, nan=1.0))
    return linear[point]


def _left_out(text: ObjText, name: str) -> list[str]:
    """A sentence where faces name what the file lacks, and one on surfaces that are none of polygons."""
    said = []
    if text.lost > 0:
        said.append(
            f"{plural(text.lost, 'face corner')} of {name} with a texture coordinate or normal that is not there"
        )
    if text.curved > 0:
        said.append(f"{plural(text.curved, 'curved surface')} (surf) of {name} left out: export it as polygons")
    return said


def _with_normals(mesh: Mesh, normals: NDArray[np.float64], at: Ints) -> Mesh:
    """The mesh with the file's normals; those missing or without length are the face's own."""
    if len(normals) == 0 or not (at >= 0).any():
        return mesh
    chosen = np.where((at >= 0)[..., None], unit_normals(normals)[at], 0.0)
    return with_flat_gaps(replace(mesh, normals=chosen.astype(np.float32)))
