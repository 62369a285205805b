"""`specsia enhance`."""

from __future__ import annotations

from pathlib import Path

import click

from specsia_build.cli import options
from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.train import FOLDER
from specsia_build.dravie.config import need_torch
from specsia_build.dravie.runs import find_run, run_name
from specsia_build.errors import UsageError, argument, plural
from specsia_build.terminal.screen import say

_INPUTS = "give the folder of color/, pos/ and mask/ that frames lie in, or a dataset"


@click.command(
    cls=Command,
    goes_on=True,
    examples=(
        "specsia enhance pretrained my-frames --out repaired",
        "specsia enhance drawn my-run/dataset --split test --out repaired-test",
    ),
)
@click.argument("run", type=find_run)
@click.argument("source", metavar="INPUT")
@click.option("--out", required=True, type=FOLDER, help="Folder of the results.")
@click.option(
    "--drawing",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The character from the front, any size, for frames of a folder; it is laid onto --reference-frame.",
)
@click.option("--reference-frame", metavar="NAME", help="The frontal one of the frames.  [default: the first]")
@click.option("--split", help="Of a dataset: train, validation or test.  [default: all]")
@click.option(
    "--video", is_flag=True, help="Also write a film: Z beside the result, MP4 or WebP; of clips one each, with Y*."
)
@options.device
def enhance(
    run: Path,
    source: str,
    out: Path,
    drawing: Path | None,
    reference_frame: str | None,
    split: str | None,
    video: bool,
    device: str,
) -> None:
    """Repair every frame of INPUT with the model of RUN and write RGBA pictures to --out.

    RUN is a folder of `specsia train` or `specsia adapt`, or `pretrained`, the model that comes along.
    INPUT is a dataset, or a folder of frames: color/, pos/ and, where color has no alpha, mask/, with a picture of the
    same name for every frame. Frames that are finished stay as they are, so that a stopped command goes on.
    The model sees the drawing of --drawing, else the one that RUN was adapted to; of a dataset it sees Y* of each
    character's frontal view.
    """
    need_torch()
    from specsia_build.dataset.places import HUB_ID
    from specsia_build.dataset.reading import open_part
    from specsia_build.dravie.adapt.command import frontal_frame
    from specsia_build.dravie.data.frame_folder import is_frame_folder
    from specsia_build.dravie.model.checkpoint import load_drawing, load_generator
    from specsia_build.dravie.repair import enhance as work
    from specsia_build.dravie.train.processes import find_device

    config, model = load_generator(run)
    kept_drawing, where = load_drawing(run), find_device(device)
    given, warnings = None, tuple[str, ...]()
    of_folder = is_frame_folder(Path(source))
    if not of_folder and (drawing is not None or reference_frame is not None):
        raise UsageError("--drawing and --reference-frame are for a folder of frames; a dataset has its own drawings")
    if drawing is not None and not config.sees_drawing:
        raise UsageError("--drawing: this model was trained with --reference none and sees no drawing")
    if reference_frame is not None and drawing is None:
        raise UsageError("--reference-frame also needs --drawing PNG")
    if of_folder:
        if split is not None:
            raise UsageError(f"{source} is a folder of frames, which has no splits: leave --split out")
        frames = work.folder_frames(Path(source), config.with_pos)
        if drawing is not None:
            frontal = frontal_frame(Path(source), reference_frame, drawing, config.with_pos)
            given, warnings = frontal.drawing(), frontal.warnings
        if config.sees_drawing and given is None and kept_drawing is None:
            warnings = ("this model repairs better with the drawing: add --drawing front.png",)
    elif Path(source).is_file():
        raise UsageError(f"{source} is a file: {_INPUTS}")
    elif not Path(source).exists() and "://" not in source and not HUB_ID.fullmatch(source):
        raise UsageError(f"there is no folder {source}: {_INPUTS}")
    elif Path(source).is_dir() and not any(Path(source).rglob("*.parquet")):
        raise UsageError(f"{source} holds neither frames (color/, pos/, mask/) nor a packed dataset")
    else:
        frames = work.dataset_frames(open_part(source, say), split, config.sees_drawing)
    repairer = work.Repairer(model.to(where), config, where, given or kept_drawing)
    done = work.enhance(repairer, frames, out, video)
    kept = f", {done.kept} were there already" if done.kept else ""
    lines = [f"{plural(done.made, 'frame')} repaired{kept}: {out}"]
    if done.film is not None:
        lines.append(f"the films of its clips are in {done.film}" if done.film.is_dir() else f"the film is {done.film}")
    conclude(
        None,
        lines,
        f"{plural(frames.count, 'frame')} of {source}",
        {
            "repaired": [f"{done.made:,}" if done.made else "nothing: all is up to date"],
            "up to date": [f"{done.kept:,}"] if done.kept else [],
        },
        doubtful={"warnings": [*warnings, *done.warnings]},
        where={"pictures": [str(out)], "film": [] if done.film is None else [str(done.film)]},
        follows=_follows(run_name(run), source, of_folder, kept_drawing is not None or given is not None),
    )


def _follows(run: str, source: str, of_folder: bool, adapted: bool) -> list[str]:
    """What comes after frames that were repaired: the model's adaptation, or what it reaches on a dataset."""
    if not of_folder:
        return [f"specsia evaluate {argument(run)} {argument(source)} --out scores"]
    return (
        [] if adapted else [f"specsia adapt {argument(run)} --frames {argument(source)} --drawing front.png --out mine"]
    )
