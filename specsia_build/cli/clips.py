"""`specsia clips`."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import click

from specsia_build.cli import options
from specsia_build.cli.closing import end
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.config import DEFAULT_CLIPS_OUT, DRAVIE, EXECUTORS, FRAMES, LOOKS, ClipSettings
from specsia_build.errors import UsageError, some
from specsia_build.folders import expanded

CLIP_STAGES = ("motions", "draw", "render", "reconstruct", "project", "carry", "move", "pack")
MOTIONS = ("idle", "walk", "run", "jump", "wave", "turn")
"""Names that help knows without importing what they stand for."""


def recipe_names() -> list[str]:
    """Layouts that clips are written in; nothing is imported."""
    return sorted({point.name for point in entry_points(group="specsia.recipes")} | {DRAVIE})


@click.command(
    cls=Command,
    goes_on=True,
    takes_source=True,
    examples=(
        "specsia clips path/to/characters --out my-clips --preview",
        "specsia clips sample:2 --motion walk --recipe anidoc --out my-line-art",
    ),
    context_settings={"show_default": False},
)
@click.argument("source", required=False)
@click.option("--out", help=f"Folder of the run.  [default: {DEFAULT_CLIPS_OUT}]")
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    metavar="NAME",
    help=f"Layout to write, of {', '.join(recipe_names())}; may be repeated.  [default: frames]",
)
@click.option(
    "--motion",
    "motions",
    multiple=True,
    metavar="own|NAME|FILE",
    help=f"The characters' own motions, a built-in one ({', '.join(MOTIONS)}), or those of a file made for "
    "another character (GLB, VRM, VRMA, FBX, .blend, BVH); may be repeated.  [default: own]",
)
@click.option(
    "--clip", "patterns", multiple=True, metavar="PATTERN", help="Only motions of such names, such as 'Walk*'."
)
@click.option("--fps", type=float, help="Frames a second.  [default: 12]")
@click.option("--frames", type=int, help="Most frames of a clip.  [default: all]")
@click.option("--views", type=int, help="Evenly spaced cameras that see each motion.  [default: 4]")
@click.option("--line-px", type=float, help="Width of lines in pixels, 1 to 4.  [default: 2]")
@click.option("--size", type=int, help="Pixels on a side of every image.  [default: 512]")
@click.option("--in-place/--travel", "in_place", default=None, help="Hold the figure over its place, or let it go.")
@click.option("--turntable/--no-turntable", "turntable", default=None, help="Also a still figure, walked around.")
@click.option(
    "--preview/--no-preview", "preview", default=None, help="Write a film of each clip, MP4 or WebP, beside its frames."
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME[:ARG]",
    help="Move reconstructions by it too; may be repeated.  [default: relief with the recipe dravie, else none]",
)
@click.option(
    "--stage", "stages", multiple=True, type=click.Choice(CLIP_STAGES), help="Run only this stage; may be repeated."
)
@click.option("--config", "config_name", metavar="FILE|NAME", help="YAML file of settings. Flags beat it.")
@click.option("--look", type=click.Choice(LOOKS), help="Plain colours, or shaded.  [default: unlit]")
@options.outline
@options.workers
@click.option("--executor", type=click.Choice(EXECUTORS), help="Here, or on a Ray cluster.  [default: local]")
@options.memory
@options.shard
@click.option("--limit", type=int, help="Only the first so many characters of the source.")
@options.exclude
@click.option("--seed", type=int, help="Of contours and backends.  [default: 42]")
@click.option("--max-failures", metavar="N|P%", help="Failed clips to put up with.  [default: 1%, at least one]")
@options.keep
@click.option("--fresh", is_flag=True, help="Forget what the folder holds of an earlier run.")
@json_option
def clips(
    source: str | None,
    out: str | None,
    stages: tuple[str, ...],
    config_name: str | None,
    fresh: bool,
    **flags: Any,
) -> None:
    """Draw the characters of SOURCE in motion, with layers that agree to the byte.

    The recipe `frames` writes DIR/frames/CLIP/{color,mask,pos}, which `specsia
    enhance` takes as they are; `dravie` packs reconstructions that move as their characters do, beside the clean
    frames, as the dataset DIR/dataset. A run that was stopped goes on where it was.
    """
    from specsia_build.pipeline.build import build as run_build
    from specsia_build.pipeline.progress import Progress
    from specsia_build.pipeline.settings import effective, named_settings, stated
    from specsia_build.stages.clips.actor import check_settings
    from specsia_build.stages.registry import refuse_stages_of_none

    names = set(ClipSettings.__dataclass_fields__)
    of_clips = {name: value for name, value in stated(flags).items() if name in names}
    others = {name: value for name, value in flags.items() if name not in names}
    if others["backends"]:
        of_clips["reconstructed"] = True
    if "motions" in of_clips:
        of_clips["motions"] = [_whole(name) for name in of_clips["motions"]]
    config_file = named_settings(config_name) if config_name is not None else None
    config, layout = effective(source, out or DEFAULT_CLIPS_OUT, config_file, {**others, "clips": of_clips}, fresh)
    assert config.clips is not None
    # A run keeps what an earlier command asked of it: only who asks now is told.
    if of_clips.get("preview") and FRAMES not in config.clips.recipes:
        raise UsageError(
            f"films of clips are written by the recipe {FRAMES}, not by {some(config.clips.recipes)}: add "
            f"--recipe {FRAMES}, or leave out --preview"
        )
    check_settings(config)
    refuse_stages_of_none(stages, config)
    summary = run_build(config, layout, stages or CLIP_STAGES, fresh, Progress())
    end(summary, config, layout)


def _whole(motion: str) -> str:
    """A motion as the settings keep it: a file by its whole path."""
    from specsia_build.stages.clips.origins import is_file_name

    return str(expanded(motion).absolute()) if is_file_name(motion) else motion
