"""Every file of a folder: built, built with a warning or refused, a sheet of first views, and what Blender makes of it.

python -m benchmarks.zoo SOURCE --out FOLDER [--blender]
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import SpecsiaError
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.rendering.registry import load_renderer

SIZE, COLUMNS, LABEL = 128, 12, 14
"""Pixels of a view in the sheet, views in a row, and pixels of the line below."""

BEHIND = (214, 226, 240)
"""What lies behind the views: no colour that a figure without one has."""

COMPARED_SIZE, COMPARED_VIEWS = 512, 4

AXES = {"glb": ("+y", "-y"), "gltf": ("+y", "-y"), "vrm": ("+y", "-y"), "obj": ("+y", "-y"), "ply": ("+z", "-y")}
"""Up, and front after the turn to it, that Blender's importers take for a format; others are not compared."""

PATIENCE = 120
"""Seconds that Blender may take to import a file."""


@dataclass(frozen=True)
class Found:
    """What came of one file."""

    name: str
    kind: str
    triangles: int
    warnings: tuple[str, ...]
    refused: str | None
    iou: float | None
    blender: str | None


def drawn(mesh: Mesh, size: int, views: int) -> NDArray[np.uint8]:
    """Colours (V, H, W, 4) of a mesh in its own units."""
    cameras = view_cameras(views, size)
    placed = normalise(mesh.vertices, cameras, 1)
    seen = load_renderer("fast").render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras, "unlit")
    return np.stack([layers.color for layers in seen])


def bare(vertices: NDArray[np.float32], faces: NDArray[np.int32]) -> Mesh:
    """Triangles that are there from both sides, whatever they are made of."""
    return Mesh(vertices, faces, (Material(),), np.zeros(len(faces), np.int32))


def imported(path: Path) -> Mesh | str:
    """What Blender's importer makes of a file, or what it has against it."""
    with TemporaryDirectory() as scratch:
        out = Path(scratch) / "mesh.npz"
        command = [sys.executable, "-m", "benchmarks.blender_import", str(path), str(out)]
        try:
            ran = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            return f"no end after {PATIENCE} s"
        if not out.is_file():
            return (ran.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"])[-1]
        held = np.load(out)
        faces = np.ascontiguousarray(held["faces"], np.int32)
        return (
            bare(held["vertices"].astype(np.float32), faces)
            if len(faces) and np.ptp(held["vertices"]) > 0
            else "it shows nothing"
        )


def compared(entry: Entry) -> tuple[float | None, str | None]:
    """Mean IoU of silhouettes with Blender's import, or why there is none."""
    if entry.format not in AXES:
        return None, None
    up, front = AXES[entry.format]
    theirs = imported(entry.path)
    if isinstance(theirs, str):
        return None, theirs
    ours = read_character(msgspec.structs.replace(entry, up=up, front=front, drop=())).mesh
    meshes = (bare(ours.vertices, ours.faces), theirs)
    pair = [drawn(mesh, COMPARED_SIZE, COMPARED_VIEWS)[..., 3] >= 128 for mesh in meshes]
    either = (pair[0] | pair[1]).sum()
    return (float((pair[0] & pair[1]).sum() / either) if either else None), None


def looked_at(entry: Entry, blender: bool) -> tuple[Found, NDArray[np.uint8] | None]:
    """What comes of a character, and its first view (H, W, 4), None where it is refused."""
    try:
        character = read_character(entry)
        picture = drawn(character.mesh, SIZE, 1)[0]
        iou, trouble = compared(entry) if blender else (None, None)
    except SpecsiaError as error:
        return Found(entry.id, entry.format, 0, (), str(error), None, None), None
    mesh = character.mesh
    return Found(entry.id, entry.format, len(mesh.faces), character.warnings, None, iou, trouble), picture


def sheet(pictures: list[tuple[str, NDArray[np.uint8] | None]]) -> Image.Image:
    """First views in rows, each with its name; a cross stands where there is none."""
    rows = -(-len(pictures) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * SIZE, rows * (SIZE + LABEL)), BEHIND)
    pen = ImageDraw.Draw(page)
    for number, (name, picture) in enumerate(pictures):
        left, top = number % COLUMNS * SIZE, number // COLUMNS * (SIZE + LABEL)
        if picture is None:
            pen.line([(left + 48, top + 48), (left + 80, top + 80)], "red", 2)
            pen.line([(left + 48, top + 80), (left + 80, top + 48)], "red", 2)
        else:
            view = Image.fromarray(picture, "RGBA")
            page.paste(view, (left, top), view)
        pen.text((left + 2, top + SIZE), name[-20:], "black")
    return page


def summary(found: list[Found]) -> str:
    """A table of outcomes by format, in Markdown."""
    lines = [
        "| format | files | read, nothing said | read, with a warning | refused with a reason |",
        "|---|---|---|---|---|",
    ]
    for kind in (*sorted({one.kind for one in found}), "all"):
        some = [one for one in found if kind in (one.kind, "all")]
        refused = sum(one.refused is not None for one in some)
        warned = sum(one.refused is None and bool(one.warnings) for one in some)
        lines.append(f"| {kind} | {len(some)} | {len(some) - refused - warned} | {warned} | {refused} |")
    return "\n".join(lines)


@click.command()
@click.argument("source")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where the files go.")
@click.option("--blender", is_flag=True, help="Compare silhouettes with what Blender imports; needs `bpy`.")
def main(source: str, out: Path, blender: bool) -> None:
    """Look at each character of SOURCE: `table.md`, `found.json` and `sheet.png` in the folder of --out."""
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        opened = open_source(source, Path(scratch))
        both = [looked_at(entry, blender) for entry in opened.entries]
    found = [one for one, _ in both]
    table = summary(found)
    (out / "table.md").write_text(table + "\n", encoding="utf-8")
    (out / "found.json").write_text(json.dumps([vars(one) for one in found], indent=1, default=str), encoding="utf-8")
    sheet([(one.name, picture) for one, picture in both]).save(out / "sheet.png")
    click.echo(table)
    for one in found:
        if one.iou is not None and one.iou < 0.995:
            click.echo(f"{one.name}: IoU {one.iou:.4f} with Blender's import")
        if one.blender is not None:
            click.echo(f"{one.name}: Blender: {one.blender}")


if __name__ == "__main__":
    main()
