"""L1 in novel views of `specsia repair` with meshes of `fusion`, written as other tools would.

    python -m benchmarks.repair_check characters.jsonl

Each character is drawn from ten views, reconstructed by `fusion` from the first, written as OBJ in other axes and
another scale, and repaired by its frontal Y*. Printed are the mean absolute errors of Z and of the result on white,
against Y* of the nine other views, and how much lower that of the result is.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from numpy.typing import NDArray

import specsia_build as specsia
from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_animated
from specsia_build.characters.sources import open_source
from specsia_build.films import on_white
from specsia_build.rendering.colour import linear_to_srgb
from specsia_build.repairing.drawing import VIEWS, render_front
from specsia_build.repairing.repair import RepairSettings, run_repair
from specsia_build.sheets import spread

AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]])
"""From the frame to the file: Y up, facing +X."""

SCALE = 37.0


def write_obj(path: Path, mesh: specsia.Mesh) -> Path:
    """Write a mesh with colours of vertices as OBJ, in other axes and another scale."""
    if mesh.colors is None or any(material.texture is not None for material in mesh.materials):
        raise ValueError("fusion gives meshes with colours of vertices")
    colors = mesh.colors.astype(np.float64)
    if colors.ndim == 3:
        sums, counts = np.zeros((len(mesh.vertices), colors.shape[-1])), np.zeros(len(mesh.vertices))
        np.add.at(sums, mesh.faces.ravel(), colors.reshape(-1, colors.shape[-1]))
        np.add.at(counts, mesh.faces.ravel(), 1)
        colors = sums / np.maximum(counts, 1)[:, None]
    levels = linear_to_srgb(np.clip(colors[:, :3], 0, 1))
    rows = np.hstack([SCALE * mesh.vertices @ AXES.T, levels])
    lines = ["v " + " ".join(f"{value:.5f}" for value in row) for row in rows]
    lines += ["f " + " ".join(str(corner + 1) for corner in face) for face in mesh.faces]
    path.write_text("\n".join(lines) + "\n")
    return path


def errors(entry: Entry, settings: RepairSettings, folder: Path) -> tuple[float, float, str]:
    """Mean absolute errors of Z and of the result in the novel views, 0-1, and how the mesh was found."""
    own = read_animated(entry)
    views = specsia.render(own.character, VIEWS, settings.size)
    guess = specsia.reconstruct(views[0], "fusion", ground_truth=views.mesh, character_id=entry.id)
    mesh = write_obj(folder / "mesh.obj", guess.mesh)
    done = run_repair(render_front(own, settings.size), mesh, settings, folder / "out")

    def error(layer: str) -> float:
        results = [png.decode(path.read_bytes(), 4) for path in sorted((folder / "out" / layer).iterdir())]
        return float(np.mean([_apart(one, view.target) for one, view in zip(results[1:], views[1:], strict=True)]))

    return error("color"), error("repaired"), done.note


def _apart(one: NDArray[np.uint8], two: NDArray[np.uint8]) -> float:
    return float(np.abs(on_white(one).astype(np.int16) - on_white(two)).mean()) / 255


def _row(before: float, after: float) -> str:
    return f"Z {before:.4f}  repaired {after:.4f}  {1 - after / before:.0%} lower"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a character, and the means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", help="manifest or folder of characters")
    parser.add_argument("--count", type=int, default=12, help="characters, spread over the source")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--model", default="pretrained")
    parser.add_argument("--adapt", action="store_true")
    options = parser.parse_args(arguments)
    settings = RepairSettings(model=options.model, views=VIEWS, size=options.size, adapt=options.adapt)
    errors_by_character: list[tuple[float, float]] = []
    with TemporaryDirectory() as scratch:
        entries = open_source(options.source, Path(scratch)).entries
        for number in spread(len(entries), options.count):
            entry = entries[number]
            with TemporaryDirectory() as folder:
                before, after, note = errors(entry, settings, Path(folder))
            errors_by_character.append((before, after))
            click.echo(f"{entry.id:32} {_row(before, after)}  {note}")
    before, after = np.mean(errors_by_character, axis=0)
    click.echo(f"{'mean of ' + str(len(errors_by_character)):32} {_row(before, after)}")


if __name__ == "__main__":
    main()
