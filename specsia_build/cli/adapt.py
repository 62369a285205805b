"""`specsia adapt`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from specsia_build.cli import options
from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.cli.train import FOLDER
from specsia_build.dravie.config import ADAPTATION, need_torch
from specsia_build.dravie.runs import find_run
from specsia_build.errors import argument


@click.command(
    cls=Command,
    examples=(
        "specsia adapt pretrained --frames my-frames --drawing front.png --out mine",
        "specsia adapt drawn --dataset my-run/dataset --character 0 --out drawn-0",
    ),
    context_settings={"show_default": False},
)
@click.argument("run", type=find_run)
@click.option("--out", type=FOLDER, required=True, help="Folder of the adapted run.")
@click.option("--dataset", metavar="DATASET", help="That holds the character.")
@click.option("--character", metavar="ID", help="Whose frontal view, in --dataset.")
@click.option("--config-name", "--backend", metavar="NAME", help="Configuration of the dataset.  [default: its first]")
@click.option("--frames", type=FOLDER, help="Folder of frames: color/, pos/ and, where color has no alpha, mask/.")
@click.option("--frame", metavar="NAME", help="The frontal one of --frames.  [default: the first]")
@click.option(
    "--drawing",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Takes the place of Y*: the character in the pose of the frontal view, any size.",
)
@click.option("--steps", type=int, help=f"Updates to make.  [default: {ADAPTATION.steps}]")
@options.device
@json_option
def adapt(run: Path, out: Path, steps: int | None, device: str, **of_frontal: Any) -> None:
    """Fit the model of RUN lightly to one character's frontal view and write a run of its own.

    RUN is a folder of `specsia train`, or `pretrained`, the model that comes along.

    The frontal view is a dataset's (with its Y*, or a drawing), or a frame with a drawing, which is laid onto it by its
    silhouette; of clips it is the first frame of the character's first clip that is seen from the front. The run keeps
    the drawing, which the model sees when it repairs.
    """
    need_torch()
    from specsia_build.dravie.adapt.command import PICTURE, FrontalOptions, adapt_run

    settings = ADAPTATION if steps is None else replace(ADAPTATION, steps=steps)
    done = adapt_run(run, out, settings, device, FrontalOptions(**of_frontal))
    lines = [
        f"adapted in {done.seconds:.0f} s: {done.run}",
        f"frontal view {done.frontal}: mean absolute error {done.l1:.4f}, before {done.l1_before:.4f}",
    ]
    if done.iou is not None:
        lines.append(f"the drawing lies on it with an IoU of {done.iou:.2f}")
    frames = argument(of_frontal["frames"] or of_frontal["dataset"])
    conclude(
        {**done._asdict(), "run": str(done.run)},
        lines,
        f"fitted to {done.frontal}",
        {"fitted": ["the model"]},
        doubtful={"warnings": done.warnings},
        where={"model": [str(done.run)], "picture": [str(done.run / PICTURE)]},
        follows=[f"specsia enhance {argument(done.run)} {frames} --out repaired"],
    )
