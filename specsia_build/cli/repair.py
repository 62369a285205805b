"""`specsia repair`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click

from specsia_build.cli import options
from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.cli.train import FOLDER
from specsia_build.dravie.config import need_torch
from specsia_build.errors import plural


@click.command(
    cls=Command,
    examples=(
        "specsia repair drawing.png --out hero",
        "specsia repair drawing.png --mesh hero.glb --out hero",
    ),
    context_settings={"show_default": False},
)
@click.argument("subject", metavar="DRAWING|CHARACTER")
@click.option(
    "--mesh",
    type=click.Path(exists=True, path_type=Path),
    help="Its reconstruction by any tool, in any axes and scale (GLB, OBJ, PLY, ...).  [default: by --backend]",
)
@click.option(
    "--back",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The character drawn from behind, in the same pose; for the backend relief.",
)
@click.option("--motion", metavar="NAME|FILE", help="Play a motion; the mesh or the character needs a rig.")
@click.option("--out", required=True, type=FOLDER, help="Folder of the results: new, empty, or of an earlier repair.")
@click.option("--backend", metavar="NAME[:ARG]", help="What reconstructs the drawing.  [default: that of build]")
@click.option("--model", metavar="RUN", help="Run of `specsia train` or `adapt`.  [default: pretrained]")
@click.option("--adapt", is_flag=True, default=None, help="Fit the model to the drawing first, which takes longer.")
@click.option("--views", type=click.IntRange(1, 360), help="Frames of one turn.  [default: 36]")
@click.option("--size", type=click.IntRange(64, 2048), help="Pixels on a side of a frame.  [default: 512]")
@options.device
@json_option
def repair(subject: str, mesh: Path | None, out: Path, device: str, **given: object) -> None:
    """Reconstruct a drawing, turn it, and repair each frame with the drawing.

    DRAWING is a character from the front, on transparency or on white paper. CHARACTER is a mesh file, a 3DBiCar folder
    or sample:N; its frontal render is the drawing.

    Writes the frames (color/, mask/, pos/), repaired/, a film of both side by side, sheet.png, and with --adapt the
    fitted model to --out.
    """
    need_torch()
    from specsia_build.repairing.repair import LAYERS, MODEL, SHEET, RepairSettings, run_repair

    known = {setting.name for setting in fields(RepairSettings)}
    settings = RepairSettings(**{name: value for name, value in given.items() if name in known and value is not None})  # type: ignore[arg-type]
    done = run_repair(subject, mesh, settings, out, device)
    model = [str(out / MODEL)] if done.adapted is not None else []
    films = [str(film) for film in done.films]
    frames, repaired = ", ".join(LAYERS[:3]), out / LAYERS[3]
    lines = [
        f"frames: {frames} in {out}",
        f"repaired: {repaired}",
        *(f"model: {path}" for path in model),
        f"film: {', '.join(films)}",
        f"sheet: {out / SHEET}",
    ]
    document = {
        "name": done.name,
        "frames": done.frames,
        "mesh": done.note,
        "repaired": str(repaired),
        "model": model[0] if model else None,
        "films": films,
        "sheet": str(out / SHEET),
        "warnings": list(done.warnings),
    }
    conclude(
        document,
        lines,
        f"{plural(done.frames, 'frame')} of {done.name} repaired",
        {"mesh": [done.note]},
        doubtful={"warnings": list(done.warnings)},
    )
