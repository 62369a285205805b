"""Check files that were written: by the Khronos validator, by Blender, and by the picture they give."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build.animation.motion import poses
from specsia_build.animation.rig import posed_through
from specsia_build.characters.character import Entry
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Mesh, compacted
from tests.needs import needs

_VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
(async () => {
  const faults = {};
  for (const path of process.argv.slice(2)) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(path)));
    const bad = report.issues.messages.filter(m => m.severity < 2);
    if (bad.length) faults[path] = bad.slice(0, 5).map(m => m.code + ' ' + m.message);
  }
  console.log(JSON.stringify(faults));
})();
"""

_IMPORT = """
import bpy, json, sys
facts = []
for path in sys.argv[1:]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.ops.import_scene.gltf(filepath=path)
    meshes = [o for o in bpy.data.objects if o.type == 'MESH' and o.data.materials]
    bpy.context.scene.frame_set(0)
    graph = bpy.context.evaluated_depsgraph_get()
    heights, faces = [], 0
    for mesh in meshes:
        shown = mesh.evaluated_get(graph)
        heights += [(mesh.matrix_world @ v.co).z for v in shown.to_mesh().vertices]
        faces += len(shown.to_mesh().polygons)
    facts.append([min(heights), max(heights), faces, len(bpy.data.actions)])
print('\\n' + json.dumps(facts))
"""


def install_validator(folder: Path) -> Path:
    """Install the validator into a folder by npm, and write the script that runs it; returns that."""
    needs("npm")
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "gltf-validator@2.0.0-dev.3.10"]
    ran = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode != 0:
        pytest.skip(
            f"needs the npm package gltf-validator, which could not be installed: {ran.stderr[-200:]}"
        )
    script = folder / "validate.cjs"
    script.write_text(_VALIDATE)
    return script


def faults_in(script: Path, paths: Sequence[Path]) -> dict[str, list[str]]:
    """Errors and warnings of the validator in each file that has any."""
    ran = subprocess.run(["node", script, *paths], capture_output=True, text=True, timeout=300, check=True)
    faults: dict[str, list[str]] = json.loads(ran.stdout)
    return faults


def seen_by_blender(paths: Sequence[Path]) -> list[list[float]]:
    """Lowest and highest vertex in metres, triangles and actions of files in Blender, at the first key."""
    needs("bpy", "libraries")
    ran = subprocess.run(
        [sys.executable, "-P", "-c", _IMPORT, *paths], capture_output=True, text=True, timeout=600, check=True
    )
    facts: list[list[float]] = json.loads(ran.stdout.splitlines()[-1])
    return facts


def read_back(path: Path, file_format: str = "gltf") -> AnimatedCharacter:
    """The character in a file, whose axes are the format's."""
    return read_animated(Entry("a", file_format, path, front="own"))


def posed(own: AnimatedCharacter, number: int, share: float) -> Mesh:
    """A character at a share of one of its motions."""
    motion = own.motions[number]
    track = poses(own.rig.skeleton, motion, np.array([motion.start + share * motion.duration]))
    return next(posed_through(own.character.mesh, own.rig, track))


def likeness(mesh: Mesh, other: Mesh) -> tuple[float, float]:
    """Least IoU of three views of two meshes, each scaled to the frame, and their largest mean difference in
    levels of colour."""
    overlaps, differences = [], []
    for first, second in zip(_views(mesh), _views(other), strict=True):
        a, b = first[..., 3] > 127, second[..., 3] > 127
        overlaps.append((a & b).sum() / (a | b).sum())
        differences.append(np.abs(first[a & b].astype(int) - second[a & b]).mean())
    return float(min(overlaps)), float(max(differences))


def _views(mesh: Mesh) -> list[Any]:
    mesh, cameras = compacted(mesh), view_cameras(3, 256)
    placed = mesh.with_vertices(normalise(mesh.vertices, cameras, 3).apply(mesh.vertices))
    return [layers.color.copy() for layers in FastRenderer().render(placed, cameras)]
