"""Our posed meshes beside Blender's own evaluation of the same glTF, FBX and .blend files, frame by frame.

python -m benchmarks.poses MANIFEST [ID …] [--fps 12] [--frames 8]
"""

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from specsia_build.animation.motion import Motion, poses
from specsia_build.animation.rig import posed_through
from specsia_build.characters.character import Entry
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import COMPONENTS, load_document, unpack_draco
from specsia_build.characters.gltf.primitives import Vertices
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.characters.sources import read_manifest
from specsia_build.frame import Camera, normalise, up_rotation
from specsia_build.rendering.fast.renderer import silhouettes
from specsia_build.rendering.mesh import Material, Mesh

SIZE = 128
YAWS = (0.0, 90.0)
TAKES = ("fbx", "blend")
REST = -1
POINTS = 1000
MOST_JOINTS = 1 << 16


@dataclass(frozen=True)
class Clip:
    """How one clip compares."""

    name: str
    frames: int  # That were compared
    iou: float  # The smallest of all frames and views
    mean: float  # Their mean
    # Largest from a vertex of ours to the nearest of Blender's or back, as a share of the height at rest
    distance: float
    stray: float  # Largest change of the position attribute of a point of the surface


def compared(entry: Entry, fps: float, most: int) -> list[Clip]:
    """Every clip of a character, and its rest, beside Blender's."""
    moving = read_animated(entry)
    times = {REST: np.zeros(1), **{k: _times(motion, fps, most) for k, motion in enumerate(moving.motions)}}
    with tempfile.TemporaryDirectory() as folder:
        request = Path(folder) / "request.json"
        # Blender counts an FBX or .blend take from its first frame on, and we from the file's own zero.
        begun = {k: motion.start if entry.format in TAKES else 0.0 for k, motion in enumerate(moving.motions)}
        clips = {str(k): (found - begun.get(k, 0.0)).tolist() for k, found in times.items()}
        names = {str(k): motion.name for k, motion in enumerate(moving.motions)}
        asked = {"drop": entry.drop, "clips": clips, "names": names}
        request.write_text(json.dumps(asked), encoding="utf-8")
        path, script = entry.path, "blender_takes"
        if entry.format not in TAKES:
            script = "blender_poses"
            required = load_document(path, entry.within).root.extensions_required or ()
            content = without_draco(entry) if DRACO in required else with_weights(entry)
            if content is not None:
                path = Path(folder) / "plain.glb"
                path.write_bytes(content)
        command = [sys.executable, "-m", f"benchmarks.{script}", str(path), str(request), folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        return [_clip(moving, k, found, Path(folder) / f"{k}.npz") for k, found in times.items()]


DRACO = "KHR_draco_mesh_compression"


class _Glb:
    """A .glb file with one buffer, to change and write again."""

    def __init__(self, content: bytes) -> None:
        (length,) = struct.unpack_from("<I", content, 12)
        self.data = json.loads(content[20 : 20 + length])
        self.binary = bytearray(content[28 + length :])

    def view(self, data: bytes) -> int:
        """Append bytes; the number of their buffer view."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        view = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        self.data["bufferViews"].append(view)
        self.binary += data
        return len(self.data["bufferViews"]) - 1

    def accessor(self, values: NDArray[Any]) -> int:
        """Append an accessor of joints (uint16) or weights (float32), four a vertex; its number."""
        kind = 5126 if values.dtype.kind == "f" else 5123
        stored = values.astype("<f4" if kind == 5126 else "<u2")
        entry = {"bufferView": self.view(stored.tobytes()), "componentType": kind, "count": len(stored)}
        self.data["accessors"].append(entry | {"type": "VEC4"})
        return len(self.data["accessors"]) - 1

    def glb(self) -> bytes:
        """The file."""
        binary = bytes(self.binary) + b"\0" * (-len(self.binary) % 4)
        self.data["buffers"] = [{"byteLength": len(binary)}]
        text = json.dumps(self.data).encode()
        text += b" " * (-len(text) % 4)
        head = struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + len(binary), len(text), b"JSON")
        return head + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


def without_draco(entry: Entry) -> bytes:
    """A .glb file with its triangles uncompressed, which not every build of Blender can do itself."""
    document, writer = load_document(entry.path, entry.within), _Glb(entry.path.read_bytes())
    accessors = writer.data["accessors"]
    for index, mesh in enumerate(document.entries(schema.GltfMesh)):
        for number, primitive in enumerate(mesh.primitives or ()):
            packed = primitive.extensions.draco if primitive.extensions else None
            if packed is None:
                continue
            faces, attributes = unpack_draco(bytes(document.view_bytes(packed.buffer_view)), packed)
            stored = {primitive.indices: faces.reshape(-1)}
            stored |= {(primitive.attributes or {})[name]: values for name, values in attributes.items()}
            for accessor, values in stored.items():
                data = values.astype(COMPONENTS[accessors[accessor]["componentType"]]).tobytes()
                accessors[accessor].update(bufferView=writer.view(data), count=len(values))
            del writer.data["meshes"][index]["primitives"][number]["extensions"][DRACO]
    for key in ("extensionsUsed", "extensionsRequired"):
        writer.data[key] = [name for name in writer.data.get(key, ()) if name != DRACO]
    return writer.glb()


def with_weights(entry: Entry) -> bytes | None:
    """A .glb file whose weights are all numbers, those that are none as we read them; None where all are.

    Blender's importer puts vertices of other weights at the origin, which no comparison of poses is about.
    """
    document, writer, fixed = load_document(entry.path, entry.within), _Glb(entry.path.read_bytes()), False
    for index, mesh in enumerate(document.entries(schema.GltfMesh)):
        skinned = {k: p for k, p in enumerate(mesh.primitives or ()) if "WEIGHTS_0" in (p.attributes or {})}
        stored = {k: p.attributes or {} for k, p in skinned.items()}
        if not any(np.isnan(document.accessor(names["WEIGHTS_0"])).any() for names in stored.values()):
            continue
        counts = {k: len(document.accessor(names["POSITION"])) for k, names in stored.items()}
        for k, primitive in skinned.items():
            influences = Vertices(document, primitive, entry.path.name, counts[k]).influences(MOST_JOINTS)
            attributes = writer.data["meshes"][index]["primitives"][k]["attributes"]
            attributes["JOINTS_0"] = writer.accessor(influences.joints)
            attributes["WEIGHTS_0"] = writer.accessor(influences.weights)
        fixed = True
    return writer.glb() if fixed else None


def _times(motion: Motion, fps: float, most: int) -> NDArray[np.float64]:
    found = motion.times(fps)
    return found if len(found) <= most else found[np.linspace(0, len(found) - 1, most).round().astype(int)]


def _clip(moving: AnimatedCharacter, number: int, times: NDArray[np.float64], file: Path) -> Clip:
    motion = None if number == REST else moving.motions[number]
    mesh, rig = moving.character.mesh, moving.rig
    height = float(np.ptp(mesh.vertices[:, 2]))
    found = poses(rig.skeleton, motion, times)
    # Blender's importer sets files upright as our reader does; what a manifest turns is turned here.
    turn = rig.placement[:3, :3] @ up_rotation("+y").T
    ious, distance, stray = [], 0.0, 0.0
    with np.load(file) as theirs:
        for vertices, ours in zip(theirs["vertices"], posed_through(mesh, rig, found), strict=True):
            other = _plain(vertices @ turn.T, theirs["faces"])
            ious += _ious(_plain(ours.vertices, ours.faces), other)
            distance = max(distance, _apart(ours, other) / height)
            stray = max(stray, _stray(mesh, ours))
    name = "(rest)" if motion is None else motion.name
    return Clip(name, len(times), min(ious), float(np.mean(ious)), distance, stray)


def _plain(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Mesh:
    corners = np.ascontiguousarray(faces, np.int32)
    plain, material = np.zeros(len(faces), np.int32), (Material(),)
    return Mesh(np.ascontiguousarray(vertices, np.float32), corners, materials=material, face_material=plain)


def _ious(ours: Mesh, theirs: Mesh) -> list[float]:
    cameras = [Camera(yaw, SIZE) for yaw in YAWS]
    both = np.concatenate([ours.vertices, theirs.vertices])
    placed = normalise(both, cameras, 1)
    fitted = (mesh.with_vertices(placed.apply(mesh.vertices)) for mesh in (ours, theirs))
    first, second = (silhouettes(mesh, cameras).astype(np.float64) for mesh in fitted)
    shared, either = np.minimum(first, second).sum(axis=(1, 2)), np.maximum(first, second).sum(axis=(1, 2))
    return [float(share) for share in np.divide(shared, either, out=np.ones_like(shared), where=either > 0)]


def _apart(ours: Mesh, theirs: Mesh) -> float:
    first, second = (mesh.vertices[np.unique(mesh.faces)] for mesh in (ours, theirs))
    there, back = cKDTree(second).query(first)[0], cKDTree(first).query(second)[0]
    return float(max(np.max(there), np.max(back)))


def _stray(rest: Mesh, moved: Mesh) -> float:
    """How far the position attribute of points of the surface moves."""
    assert moved.rest is rest.vertices
    random = np.random.default_rng(0)
    chosen = random.integers(len(rest.faces), size=POINTS)
    weights = random.dirichlet(np.ones(3), size=POINTS)[:, :, None]
    # Faces that are mirrored are wound the other way, so corners are matched by their numbers.
    first, second = (np.sort(mesh.faces[chosen], axis=1) for mesh in (rest, moved))
    before, after = (weights * rest.vertices[first]).sum(axis=1), (weights * moved.rest[second]).sum(axis=1)
    return float(np.abs(before - after).max())


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("ids", nargs=-1)
@click.option("--fps", default=12.0, show_default=True)
@click.option("--frames", default=8, show_default=True, help="Of a clip, evenly chosen, at most.")
@click.option("--all", "every", is_flag=True, help="Show every clip, not just the worst of a character.")
def main(manifest: Path, ids: tuple[str, ...], fps: float, frames: int, every: bool) -> None:
    """Print a table of the characters of a MANIFEST (or those of some IDS), and the worst clip of all."""
    click.echo("| character | clips | frames | worst clip | IoU, least | mean | distance, most | pos moves |")
    click.echo("|---|---|---|---|---|---|---|---|")
    worst: list[tuple[float, str]] = []
    for entry in read_manifest(manifest):
        if entry.format not in ("gltf", "vrm", *TAKES) or (ids and entry.id not in ids):
            continue
        clips = compared(msgspec.structs.replace(entry, pose="rest"), fps, frames)
        lowest = min(clips, key=lambda clip: clip.iou)
        worst.append((lowest.iou, f"{lowest.name} of {entry.id}"))
        for clip in clips if every else [_summary(clips, lowest)]:
            line = f"| {entry.id} | {len(clips) - 1} | {clip.frames} | {clip.name} | {clip.iou:.4f} | "
            click.echo(f"{line}{clip.mean:.5f} | {clip.distance:.1e} | {clip.stray:.1e} |")
    if worst:
        click.echo(f"the worst clip is {min(worst)[1]}: IoU {min(worst)[0]:.4f}")


def _summary(clips: Sequence[Clip], lowest: Clip) -> Clip:
    """The worst of several clips, with the figures of all."""
    return replace(
        lowest,
        frames=sum(clip.frames for clip in clips),
        mean=float(np.mean([clip.mean for clip in clips])),
        distance=max(clip.distance for clip in clips),
        stray=max(clip.stray for clip in clips),
    )


if __name__ == "__main__":
    main()
