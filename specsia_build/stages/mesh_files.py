"""Files of artefacts: a mesh as plain arrays and PNG textures, and the pictures of what is quarantined."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from isal import igzip
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.dataset.images import overlay_image
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.schema import COLOR, GT, GT_MASK, MASK
from specsia_build.files.records import parse_json
from specsia_build.rendering.mesh import Material, Mesh, Texture, material_spec

MESH = "mesh.json"

_ARRAYS = ("vertices", "faces", "face_material", "uv", "colors", "normals")


def array_file(name: str) -> str:
    """File name of an array."""
    return f"mesh_{name}.npy.gz"


def dump_array(array: NDArray[Any]) -> bytes:
    """Bytes that `load_array` turns back into an equal array; the same array gives the same bytes."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return png.deflate(stream.getvalue(), png.GZIP)


def load_array(data: bytes) -> NDArray[Any]:
    """The array that `dump_array` wrote; none that could run code."""
    loaded: NDArray[Any] = np.lib.format.read_array(io.BytesIO(igzip.decompress(data)), allow_pickle=False)
    return loaded


def mesh_to_files(mesh: Mesh) -> dict[str, bytes]:
    """Files that `mesh_from_files` turns back into an equal mesh; rest positions are not kept."""
    arrays = {name: getattr(mesh, name) for name in _ARRAYS}
    files = {array_file(name): dump_array(array) for name, array in arrays.items() if array is not None}
    textures: list[Texture] = []
    materials = [material_spec(material, textures) for material in mesh.materials]
    files |= {f"mesh_texture_{k}.png": png.encode(texture.pixels) for k, texture in enumerate(textures)}
    samplers = [{"wrap": list(t.wrap), "nearest": t.nearest} for t in textures]
    files[MESH] = json.dumps({"materials": materials, "textures": samplers}, sort_keys=True).encode()
    return files


def mesh_from_files(files: Mapping[str, bytes]) -> Mesh:
    """The mesh that `mesh_to_files` wrote."""
    described = parse_json(files[MESH], MESH)
    arrays = {name: load_array(files[array_file(name)]) for name in _ARRAYS if array_file(name) in files}
    textures = [
        Texture(png.decode(files[f"mesh_texture_{i}.png"], 4), tuple(t["wrap"]), t["nearest"])
        for i, t in enumerate(described["textures"])
    ]
    materials = []
    for spec in described["materials"]:
        colours = {name: tuple(spec[name]) for name in ("base_color", "emissive")}
        places = {name: spec[name] for name in ("texture", "emissive_texture")}
        images = {name: None if place is None else textures[place] for name, place in places.items()}
        materials.append(Material(**{**spec, **colours, **images}))
    return Mesh(materials=tuple(materials), **arrays)


OVERLAY = "overlay"


def beside_truth(files: Mapping[str, bytes], view: int, rendered: Mapping[str, bytes]) -> dict[str, bytes]:
    """PNGs by name of one view: Z, its mask, Y*, and the overlay of their silhouettes.

    Args:
        files: with Z and its mask of the view.
        view: its number.
        rendered: files of the render artefact.
    """
    color, mask, gt = (view_file(name, view) for name in (COLOR, MASK, GT))
    silhouettes = png.decode(files[mask], 1), png.decode(rendered[view_file(GT_MASK, view)], 1)
    overlay = png.encode(overlay_image(*silhouettes))
    return {color: files[color], mask: files[mask], gt: rendered[gt], view_file(OVERLAY, view): overlay}
