"""`specsia export`: write a run or a dataset in another layout; `mesh`: one character."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click import option

from specsia_build import terminal
from specsia_build.cameras.rigs import RIGS
from specsia_build.cli.closing import most, warning_lines
from specsia_build.cli.command import (
    FILE,
    LAYOUTS,
    comma_names,
    command,
    conclude,
    json_option,
    of_characters,
    processes,
    tell,
)
from specsia_build.config import LayerName, cores
from specsia_build.errors import CharacterError, UsageError, argument, no_such, plural
from specsia_build.warning import as_json

if TYPE_CHECKING:
    from specsia_build.pipeline.export import Request
    from specsia_build.pipeline.views import Estimate

MORE_LAYERS = tuple(name for name in get_args(LayerName) if name != "albedo")  # The pictures show that


@command(
    "specsia export sample:3 --layout zero123 --size 128 --out views",
    "specsia export my-run --layout specsia-15k --out published-tree",
    goes_on=True,
    source=True,
)
@click.argument("where", metavar="SOURCE|RUN|DATASET")
@option("--layout", required=True, metavar="NAME", help=f"Files to write: {', '.join(LAYOUTS)}.")
@option("--out", required=True, type=click.Path(path_type=Path), help="Folder to write; it must be new.")
@option("--backend", metavar="NAME", help="Backend whose pairs to take.  [default: the only one]")
@processes
@json_option
@option("--cameras", metavar="RIG", help=f"Views to draw: {', '.join(RIGS)}.  [default: the layout's]")
@option("--size", type=click.IntRange(32, 2048), help="Width of views in pixels.")
@option(
    "--layers",
    metavar="A,B",
    callback=comma_names,
    help=f"Further layers of views: {', '.join(MORE_LAYERS)}.",
)
@option("--motion", metavar="NAME|FILE", help="Draw another pose of this motion in each view.")
@option("--seed", type=click.IntRange(0, 2**53), help="Seed of random cameras and of light.")
@option("--limit", type=click.IntRange(1), help="Only the first N characters.")
@option("--strict", is_flag=True, help="Fail if the trainer would have nothing to train on.")
@option("--dry-run", is_flag=True, help="Show how many files, bytes and minutes it would take.")
def export(where: str, layout: str, out: Path, backend: str | None, workers: int, **more: Any) -> None:
    """Write characters, a run, or a packed dataset (a folder, a URL or OWNER/NAME on the Hub), in a layout.

    Layouts of views are drawn anew from the characters of a source or run; run the same command again to
    continue a stopped export. Other layouts are written from a run or from the rows of a dataset. `specsia
    build` and `specsia clips` also write layouts, with `--layout NAME`.
    """
    from specsia_build.pipeline.export import Request
    from specsia_build.pipeline.views import ViewOptions
    from specsia_build.stages.clips.actor import located

    layers = more.pop("layers") or ()
    if unknown := [name for name in layers if name not in MORE_LAYERS]:
        raise UsageError(no_such("layer", unknown[0], MORE_LAYERS))
    motion, dry_run = more.pop("motion"), more.pop("dry_run")
    views = ViewOptions(layers=layers, motion=None if motion is None else located(motion), **more)
    request = Request(where, layout, out, backend, views, dry_run)
    _export(request, workers)


@command("specsia mesh Knight.glb --out knight.glb", "specsia mesh my-run/0 --out 0.obj", source=True)
@click.argument("where", metavar="SOURCE|RUN/ID")
@option("--out", required=True, type=FILE, help="File to write: x.glb, x.vrm, x.obj, x.ply or x.stl.")
@option("--backend", metavar="NAME", help="Backend of a run's reconstruction.  [default: the only one]")
@of_characters
@json_option
def mesh(where: str, out: Path, backend: str | None, texture: int | None, **look: Any) -> None:
    """Write one character, or a run's reconstruction of one, as a file that other programs open.

    It stands upright on the ground, in metres, Y up and facing +Z, or in PLY and STL Z up and facing -Y. GLB
    keeps its materials, or with --texture has one texture for all, and its rig and motions; OBJ has one
    texture, PLY colours of vertices, and STL the shape alone. VRM is for humanoids, which stand in a T-pose.
    """
    from specsia_build.pipeline.meshes import character_at
    from specsia_build.writers.files import check_file, write_character

    check_file(out)
    try:
        character, warnings = character_at(where, backend)
        character = replace(character, **{name: value for name, value in look.items() if value is not None})
        warnings = (*warnings, *write_character(out, character, texture))
    except CharacterError as error:
        # Of a single character the input is at fault, as with a file that is not there.
        raise UsageError(str(error)) from error
    triangles, size = len(character.mesh.faces), out.stat().st_size
    motions = [motion.name for motion in character.motions] if out.suffix.lower() == ".glb" else []
    document = {"file": str(out), "triangles": triangles, "bytes": size, "motions": motions}
    held = f"{plural(triangles, 'triangle')}, {plural(len(motions), 'motion')}, {size / 1e6:.1f} MB"
    lines = [f"{character.name} is in {out}: {held}", *(f"warning: {warning}" for warning in warnings)]
    tell({**document, **as_json(warnings)}, lines)


def _export(request: Request, workers: int) -> None:
    from specsia_build.dataset.schema import CARD
    from specsia_build.pipeline.export import export as write

    where, out = request.where, request.out
    with terminal.bar("export", None, "part") as bar:
        written = write(request, workers or cores(), bar)
    if written.estimate is not None:
        _say_estimate(request, written.estimate)
        return
    layout = written.layout
    parts = plural(written.parts, layout.part_noun)
    reasons = [reason for reason, _ in written.missed.values()]
    # A character that cannot be drawn has failed; a part that a reader cannot take has not.
    failed = [m.reason for m in written.missed.values() if m.suits or layout.shows == "views"]
    steps = layout.steps.replace("FOLDER", argument(out.absolute()))
    steps = steps.replace("VIEWS", str(written.rows // written.parts))
    warnings = [*written.notes, *warning_lines(written.warnings)]
    facts = {
        "written": [f"{plural(written.rows, 'picture')} in {parts}"],
        "kept": [f"{written.kept:,} as they were"] if written.kept else [],
        "left out": reasons,
        "warning": most(warnings, f"specsia characters {argument(where)}"),
        "folder": [str(out)],
        "load": [f"{out / CARD} says how"],
        # Lines of configuration that name a character.
        "next": [f"specsia verify {argument(out)}", *re.sub(r"\bID\b", written.first, steps).splitlines()],
    }
    title = f"{where} as {request.name}"
    counts = {"parts": written.parts, "rows": written.rows, "kept": written.kept}
    document = {"folder": str(out), "layout": request.name, **counts, "left_out": reasons}
    every = (warning for _, own in sorted(written.warnings.items()) for warning in own)
    document |= {"notes": list(written.notes), **as_json(every)}
    lines = [f"{out} holds {parts} of {where}, as {request.name}"]
    conclude(document, lines, title, facts, trouble=failed[0] if failed else None)


def _say_estimate(request: Request, guess: Estimate) -> None:
    """Say what an export would write."""
    minutes = guess.seconds / 60
    document = {"characters": guess.characters, "files": guess.files, "bytes": guess.bytes}
    size, time = f"{guess.bytes / 1e6:,.1f} MB", f"{minutes:,.1f} minutes"
    counts = f"{plural(guess.characters, 'character')} as {request.name}: {plural(guess.files, 'file')}"
    tell({**document, "minutes": round(minutes, 2)}, [f"{counts}, about {size} in {time}"])
