"""Folders in which a page's commands run: what its text speaks of is there, and nothing of this machine's user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from tests.animation.people import KAYKIT, MIXAMO, into_bvh, person, turning
from tests.characters.gltf.writer import GltfWriter
from tests.clips import write_figures
from tests.docs.blocks import ROOT, Block
from tests.docs.server import CLIENT, PROGRAMS, SECONDS
from tests.shapes import BOX, QUADS

RECONSTRUCTOR = """import sys
import numpy as np, trimesh
import specsia_build as specsia
from PIL import Image

picture, mesh = sys.argv[1:]
made = specsia.reconstruct(np.asarray(Image.open(picture))).mesh
trimesh.Trimesh(made.vertices[:, [0, 2, 1]] * [1, 1, -1], made.faces).export(mesh)
"""
"""`recon.py`, which does what the default backend does."""

_CORNERS = [i for quad in QUADS for i in (quad[0], quad[1], quad[2], quad[0], quad[2], quad[3])]


@contextmanager
def serving(folder: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """A folder of programs to stand first on the path, answered by one `server.py`; beside it lie `samples`."""
    address, programs = folder / "socket", folder / "bin"
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        text = CLIENT.format(python=sys.executable, address=str(address), program=name)
        _program(programs / name, text)
    _program(programs / "blender", "#!/bin/sh\necho Blender 4.2\n")
    # Whether there is such a target, and what it would do.
    _program(programs / "make", f'#!/bin/sh\nexec {shutil.which("make")} --dry-run --silent -C "{ROOT}" "$@" >&2\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.docs.server", str(address), str(folder / "samples")],
        cwd=ROOT,
        env={**os.environ, **variables, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield programs
    finally:
        process.kill()
        process.wait()


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def write_person(path: Path) -> Path:
    """A person of boxes, one to a bone, that can wave."""
    figure, bones = person(KAYKIT, up="+y")
    skeleton, writer = figure.skeleton, GltfWriter()
    rng = np.random.default_rng(0)
    for node, name in enumerate(skeleton.names):
        colour = [*rng.uniform(0.1, 0.9, 3).tolist(), 1.0]
        material = writer.add("materials", pbrMetallicRoughness={"baseColorFactor": colour})
        side = 0.24 if name in ("hips", "spine", "chest", "head") else 0.16
        box = writer.primitive(BOX * side, _CORNERS, material)
        children = np.flatnonzero(skeleton.parents == node).tolist()
        writer.mesh_node(
            box,
            name=name,
            translation=skeleton.translations[node].tolist(),
            **({"children": children} if children else {}),
        )
    writer.data["scenes"], writer.data["scene"] = [{"nodes": [0]}], 0
    waving = turning(figure, bones["leftLowerArm"], [(0, 0, 0), (0, 0, -90)], "wave")
    curve = {"input": writer.accessor([0.0, 0.3]), "output": writer.accessor(waving.tracks[0].values)}
    target = {"node": waving.tracks[0].node, "path": "rotation"}
    writer.add("animations", name="wave", channels=[{"sampler": 0, "target": target}], samplers=[curve])
    return writer.write_glb(path)


def write_dance(path: Path) -> Path:
    """A motion of another's skeleton."""
    figure, bones = person(MIXAMO, size=100.0, up="+y")
    path.write_text(into_bvh(figure, turning(figure, bones["rightLowerLeg"], [(0, 0, 0), (90, 0, 0)])))
    return path


def write_sources(folder: Path, samples: Path) -> None:
    """Characters under the names that pages give them, some of them procedural ones."""
    characters = write_figures(folder / "path/to/characters")
    # One of them is in another share of two than the others.
    for one, name in zip("abc", ("ID", "0", "d"), strict=True):
        (characters / f"{one}.glb").rename(characters / f"{name}.glb")
    shutil.copytree(characters, folder / "SOURCE")
    shutil.copytree(samples, folder / "PATH/TO/3DBiCar")
    write_person(folder / "person.glb")
    (folder / "person.jsonl").write_text('{"id": "person", "path": "person.glb", "license": "CC0-1.0"}\n')
    write_dance(folder / "dance.bvh")
    shutil.copy(folder / "person.glb", folder / "Knight.glb")
    (folder / "recon.py").write_text(RECONSTRUCTOR)
    activate = folder / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("")


def run_block(block: Block, folder: Path, variables: Mapping[str, str], log: IO[bytes]) -> int:
    """Give a block to its shell or to Python, as printed; ends at the first command that fails.

    Args:
        block: what is run.
        folder: to run it in.
        variables: of the environment.
        log: takes what it prints.
    """
    script = folder / f".block-{block.line}"
    script.write_text(block.text)
    command = ["python", str(script)] if block.language == "python" else ["bash", "-e", str(script)]
    return subprocess.run(
        command, cwd=folder, env={**variables}, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=2 * SECONDS
    ).returncode
