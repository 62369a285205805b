"""Sound characters of every format, as files in memory, for `faults` to damage."""

import enum
import io
import json
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from tests.characters.bodies import checks, figure
from tests.characters.dae import SKINNED, TEXTURED, square
from tests.characters.fbx.writer import Record, as_binary, as_text, moving_square, properties, record, thing
from tests.characters.gltf.writer import TRIANGLE, GltfWriter, draco, meshopted


@dataclass(frozen=True)
class Link:
    """A symbolic link; `target` is as the link holds it."""

    target: str


class Special(enum.Enum):
    """What stands in a file's place."""

    PIPE = "a pipe"
    SOCKET = "a socket"
    FOLDER = "a folder"


Content = bytes | Link | Special
Files = dict[str, Content]
"""Content by name, which may hold folders; the first is the one that is read first."""


def gltf() -> GltfWriter:
    """The figure of boxes with a bit of everything: skin, morph target, sparse accessor, texture, colours,
    hierarchy.

    Its nodes are the body, a strip of triangles that is mirrored, the joint that both hang on, and the root.
    """
    points, faces, uv, colours = figure()
    file = GltfWriter()
    image = file.image(picture(".png"))
    moved = {"KHR_texture_transform": {"offset": [0.5, 0.0], "rotation": 0.3}}
    texture = file.add("textures", source=image, sampler=file.add("samplers", wrapS=33071))
    slot = {"index": texture, "extensions": moved}
    material = file.add(
        "materials",
        name="cloth",
        alphaMode="BLEND",
        doubleSided=True,
        pbrMetallicRoughness={"baseColorTexture": slot},
        emissiveTexture=slot,
        emissiveFactor=[0.1, 0.2, 0.3],
    )
    count = len(points)
    attributes: dict[str, Any] = {
        "NORMAL": file.accessor([[0, 0, 1]] * count),
        "TEXCOORD_0": file.accessor(uv * 65535, "u2", normalized=True),
        "COLOR_0": file.accessor(colours),
        "JOINTS_0": file.accessor([[0, 1, 0, 0]] * count, "u1"),
        "WEIGHTS_0": file.accessor([[0.5, 0.5, 0, 0]] * count),
    }
    delta = file.accessor(np.zeros((count, 3)))
    file.data["accessors"][delta]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": file.view(struct.pack("<H", 1)), "componentType": 5123},
        "values": {"bufferView": file.view(struct.pack("<3f", 0, 0.01, 0))},
    }
    targets = [{"POSITION": delta}]
    body = file.primitive(points, faces, material=material, targets=targets, **attributes)
    mesh = file.add("meshes", name="body", primitives=[body], weights=[0.5])
    file.add("nodes", name="body", mesh=mesh, skin=0)
    strip = file.primitive(np.array([*TRIANGLE, (1, 1, 0)]) / 10, mode=5)
    file.mesh_node(strip, name="prop", rotation=[0, 0, 0.6, 0.8], scale=[1, -1, 1])
    file.add("nodes", name="upper", translation=[0, 0.1, 0], children=[1])
    file.add("nodes", name="root", matrix=np.eye(4).ravel().tolist(), children=[0, 2])
    file.add("skins", joints=[3, 2], inverseBindMatrices=file.accessor([np.eye(4), np.eye(4)]))
    file.add("scenes", nodes=[3])
    file.data |= {"scene": 0, "buffers": [{"byteLength": len(file.binary)}]}
    return file


def vrm() -> GltfWriter:
    """The same as a VRM 0 avatar."""
    file = gltf()
    bones = [{"bone": "hips", "node": 3}, {"bone": "head", "node": 2}]
    avatar = {
        "specVersion": "0.0",
        "meta": {"title": "figure", "author": "somebody", "texture": 0},
        "humanoid": {"humanBones": bones},
        "materialProperties": [
            {"name": "cloth", "shader": "VRM/MToon", "textureProperties": {"_MainTex": 0}}
        ],
    }
    file.data.update(extensions={"VRM": avatar}, extensionsUsed=["VRM"])
    return file


def obj_text(library: str) -> str:
    """The figure of boxes as OBJ with texture coordinates."""
    points, faces, uv, _ = figure()
    lines = [f"mtllib {library}", "o figure"]
    lines += [f"v {x:.5f} {y:.5f} {z:.5f}" for x, y, z in points]
    lines += [f"vt {u:.5f} {v:.5f}" for u, v in uv]
    for k, face in enumerate(faces + 1):
        if k % 12 == 0:
            lines += [f"g part_{k // 12}", f"usemtl {'skin' if k % 24 else 'cloth'}"]
        lines.append("f " + " ".join(f"{i}/{i}" for i in face))
    return "\n".join(lines) + "\n"


def _ply_files(form: str, name: str) -> Files:
    """The figure of boxes as PLY with colours."""
    points, faces, _, colours = figure()
    upright = np.c_[points[:, 0], -points[:, 2], points[:, 1]]
    levels = (np.clip(colours, 0, 1) * 255).astype(np.uint8)
    mesh = trimesh.Trimesh(upright, faces, vertex_colors=levels, process=False)
    data: bytes = trimesh.exchange.ply.export_ply(mesh, form)
    at = data.index(b"element vertex")
    data = data[:at] + f"comment TextureFile {name}.png\n".encode() + data[at:]
    return {f"{name}.ply": data, f"{name}.png": picture(".png")}


def picture(suffix: str) -> bytes:
    """A picture in the format of a suffix, such as ``.tga``."""
    stream = io.BytesIO()
    Image.fromarray(checks(32)).save(stream, suffix[1:])
    return stream.getvalue()


def _gltf_files(name: str) -> Files:
    file = gltf()
    file.data["buffers"][0]["uri"] = f"{name}.bin"
    file.data["images"][0] = {"uri": f"{name}.png"}
    text, binary = json.dumps(file.data).encode(), bytes(file.binary)
    return {f"{name}.gltf": text, f"{name}.bin": binary, f"{name}.png": picture(".png")}


def _obj_files(name: str, suffix: str = ".png") -> Files:
    library, image = f"{name}.mtl", f"{name}{suffix}"
    materials = f"newmtl skin\nKd 0.9 0.7 0.5\nmap_Kd {image}\nnewmtl cloth\nKd 0.2 0.3 0.8\nd 1.0\n"
    return {f"{name}.obj": obj_text(library).encode(), library: materials.encode(), image: picture(suffix)}


def fbx_files(kind: str, name: str, texture: str, *more: Record) -> Files:
    """The square of `moving_square`, with a texture beside the file, by its name, and more objects."""
    paint = [record("ShadingModel", "lambert"), properties(DiffuseColor=(0.5, 0.5, 0.5), Opacity=0.5)]
    file = record("RelativeFilename", texture)
    objects = [thing("Material", 30, "cloth", "", *paint), thing("Texture", 31, "cloth", "", file), *more]
    links = [(30, 2), (31, 30, "DiffuseColor"), *((item.values[0], 2) for item in more)]
    encode = as_text if kind == "FBX text" else as_binary
    return {f"{name}.fbx": encode(moving_square(objects, links)), f"{name}.png": picture(".png")}


def _dae_files(name: str) -> Files:
    text = square(SKINNED, TEXTURED, image=f"{name}.png")
    return {f"{name}.dae": text.encode(), f"{name}.png": picture(".png")}


def _bicar_files(name: str) -> Files:
    home = f"{name}/tpose"
    eyes = "v -0.1 1.7 0.3\nv 0.1 1.7 0.3\nv 0.1 1.8 0.3\nvt 0 0\nf 1/1 2/1 3/1\n"
    return {
        f"{home}/m.obj": obj_text("m.mtl").encode(),
        f"{home}/m.bmp": picture(".bmp"),
        f"{home}/e.obj": eyes.encode(),
        f"{home}/e.bmp": picture(".bmp"),
        f"{name}/image/image_reshape512.jpeg": picture(".jpeg"),
        f"{name}/metadata.json": json.dumps({"license": "CC0-1.0", "source": "somebody"}).encode(),
    }


SOUND: dict[str, Callable[[str], Files]] = {
    "GLB": lambda name: {f"{name}.glb": gltf().glb()},
    "GLB Draco": lambda name: {f"{name}.glb": draco(gltf().glb())},
    "GLB meshoptimizer": lambda name: {f"{name}.glb": meshopted(gltf().glb())},
    "glTF": _gltf_files,
    "VRM": lambda name: {f"{name}.vrm": vrm().glb()},
    "OBJ": _obj_files,
    "PLY text": partial(_ply_files, "ascii"),
    "PLY binary": partial(_ply_files, "binary"),
    "FBX": lambda name: fbx_files("FBX", name, f"{name}.png"),
    "FBX text": lambda name: fbx_files("FBX text", name, f"{name}.png"),
    "COLLADA": _dae_files,
    "3DBiCar": _bicar_files,
    **{kind: partial(_obj_files, suffix=f".{kind.lower()}") for kind in ("PNG", "JPEG", "BMP", "TGA")},
}
"""Files of a sound character of each kind, for the name it is to have."""


def write_files(folder: Path, files: Files) -> None:
    """Write files, links and what else stands in a file's place."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, Link):
            path.symlink_to(content.target)
        elif content is Special.FOLDER:
            path.mkdir()
        elif content is Special.PIPE:
            os.mkfifo(path)
        else:
            os.mknod(path, stat.S_IFSOCK | 0o600)
