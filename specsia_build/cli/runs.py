"""`specsia build`, `clips`, `merge` and `status`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click import option

from specsia_build import terminal
from specsia_build.cli.closing import as_json_by_name, end, failure_sentences, warning_lines
from specsia_build.cli.command import LAYOUTS, choice, comma_names, command, json_option, options, tell
from specsia_build.config import (
    DEFAULT_CLIPS_OUT,
    FRAMES,
    ClipSettings,
    ExecutorName,
    FrontalPicture,
    Keep,
    LayerName,
    LineColour,
    LineStyle,
    Look,
    LowIou,
    ReferencePose,
    RendererName,
    UdpScale,
    check_failures,
)
from specsia_build.errors import UsageError, plural, some
from specsia_build.terminal import Table

if TYPE_CHECKING:
    from specsia_build.pipeline.status import RunStatus

# Help lists these without importing what they name.
STAGE_NAMES = ("render", "reconstruct", "project", "pack")
CLIP_STAGE_NAMES = ("motions", "draw", "render", "reconstruct", "project", "carry", "move", "pack")
MOTION_NAMES = ("idle", "walk", "run", "jump", "wave", "turn")
MOTION_HELP = (
    f"The characters' own motions, a built-in one ({', '.join(MOTION_NAMES)}), or those of a file made for "
    "another character (GLB, VRM, VRMA, FBX, .blend, BVH); may be repeated.  [default: own]"
)

source = click.argument("source", required=False)

max_failures = option(
    "--max-failures", metavar="N|P%", help="Failed characters to accept.  [default: 1%, at least 1]"
)

layouts = option(
    "--layout",
    "--recipe",
    "layouts",
    multiple=True,
    metavar="NAME",
    help=f"Files to write: {', '.join(LAYOUTS)}; may be repeated.",
)


def backends(description: str) -> Callable[[Any], Any]:
    """Return the option that names backends."""
    return option("--backend", "backends", multiple=True, metavar="NAME[:ARG]", help=description)


_SHARED = options(
    option(
        "--config", "config_name", metavar="FILE|NAME", help="YAML file of settings, or one in the package."
    ),
    option("--size", type=int, help="Pixels on a side of every image.  [default: 512]"),
    option("--look", type=choice(Look), help="Plain or shaded colours.  [default: unlit]"),
    option(
        "--outline",
        metavar="random|dark|GREY|#RRGGBB|coloured",
        help="Colour of the contour of Y*; coloured follows the figure's colours.  [default: random]",
    ),
    option(
        "--frontal",
        type=choice(FrontalPicture),
        help="What backends see: the frontal view without its contour or with it, or the character's own "
        "drawing.  [default: render]",
    ),
    option("--workers", type=int, help="Processes; 0 is one for each core.  [default: 0]"),
    option("--executor", type=choice(ExecutorName), help="This machine, or a Ray cluster.  [default: local]"),
    option("--memory", metavar="SIZE", help="Memory that one character may take.  [default: 2 GB]"),
    option("--shard", metavar="I/N", help="Only the I-th of N shares of the source.  [default: all]"),
    option("--limit", type=int, help="Only the first N characters of the source."),
    option(
        "--exclude", metavar="FILE", help="Leave out the characters whose ids this file names, one a line."
    ),
    option(
        "--seed", type=int, help="Seed of contours and backends; splits do not depend on it.  [default: 42]"
    ),
    max_failures,
    option("--keep", type=choice(Keep), help="Artefacts to keep once all is packed.  [default: all]"),
    option("--fresh", is_flag=True, help="Start over in a folder that holds a run."),
    json_option,
)


@command(
    "specsia build sample:3 --out my-samples",
    "specsia build path/to/characters --out my-run",
    goes_on=True,
    source=True,
)
@source
@option(
    "--out", help="Folder of the run, or a URL (s3://...) to send its dataset to.  [default: specsia-out]"
)
@option("--stage", "stages", multiple=True, type=click.Choice(STAGE_NAMES), help="Run only this stage.")
@backends("Backend, from `specsia backends list`; may be repeated.  [default: relief]")
@option("--like", metavar="DATASET", help="Build only the characters of this packed dataset, in its splits.")
@option("--renderer", metavar="NAME", help=f"Renderer: {', '.join(get_args(RendererName))}.  [default: fast]")
@option("--views", type=int, help="Evenly spaced views of a character.  [default: 10]")
@option(
    "--cameras",
    metavar="RIG|FILE",
    help="Other cameras, such as sphere:32 or ring:10@elevation=20,fov=40.  [default: ring:10]",
)
@option(
    "--layers",
    metavar="NAMES",
    callback=comma_names,
    help=f"Further columns of Y*, joined by commas: {', '.join(get_args(LayerName))}.",
)
@layouts
@option(
    "--min-iou", type=float, help="Least mean IoU of a reconstruction with its character.  [default: 0.5]"
)
@option("--low-iou", type=choice(LowIou), help="What to do below --min-iou.  [default: quarantine]")
@_SHARED
def build(source: str | None, out: str | None, stages: tuple[str, ...], fresh: bool, **settings: Any) -> None:
    """Build and pack a dataset from the characters of SOURCE.

    Without SOURCE the run in --out continues; in a new folder sample:24 is built. A stopped build continues
    where it was. A build that is up to date does nothing.
    """
    from specsia_build.pipeline.build import build as run_build
    from specsia_build.pipeline.run import effective, named_settings

    name = settings.pop("config_name")
    config, paths = effective(source, out, None if name is None else named_settings(name), settings, fresh)
    end(run_build(config, paths, stages or STAGE_NAMES, fresh), config, paths)


@command(
    "specsia clips path/to/characters --out my-clips --preview",
    "specsia clips sample:2 --motion walk --layout anidoc --out my-line-art",
    goes_on=True,
    source=True,
)
@source
@option("--out", help=f"Folder of the run.  [default: {DEFAULT_CLIPS_OUT}]")
@layouts
@option("--motion", "motions", multiple=True, metavar="own|NAME|FILE", help=MOTION_HELP)
@option("--clip", "patterns", multiple=True, metavar="PATTERN", help="Only motions with names like 'Walk*'.")
@option("--fps", type=float, help="Frames a second.  [default: 12]")
@option("--frames", type=int, help="Most frames of a clip.  [default: all]")
@option("--views", type=int, help="Evenly spaced cameras that see each motion.  [default: 4]")
@option("--line-px", type=float, help="Width of lines in pixels, 1 to 4.  [default: 2]")
@option("--line-style", type=choice(LineStyle), help="Lines of anidoc and flipsketch.  [default: thin]")
@option(
    "--line-colour",
    type=choice(LineColour),
    help="Colour of these lines: black, or another dark hue for each clip.  [default: black]",
)
@option("--svg/--no-svg", default=None, help="Also write flipsketch's frames as SVG, a path for each line.")
@option(
    "--reference",
    type=choice(ReferencePose),
    help="Reference of anidoc: the first frame, or another pose on another background.  [default: first]",
)
@option("--figures", type=int, help="Figures in a frame of anidoc, 1 or 2.  [default: 1]")
@option("--sheet-views", type=int, help="Pictures in a character sheet of conr.  [default: 4]")
@option(
    "--udp-scale",
    type=choice(UdpScale),
    help="What conr's poses are divided by: the sides of the box, or the height at rest.  [default: box]",
)
@option("--in-place/--travel", "in_place", default=None, help="Keep the figure in place, or let it travel.")
@option("--turntable/--no-turntable", default=None, help="Also draw the still figure from all around.")
@option("--preview/--no-preview", default=None, help="Write a film of each clip beside its frames.")
@backends("Backend whose reconstructions also move; may be repeated.  [default: relief for --layout pairs]")
@option("--stage", "stages", multiple=True, type=click.Choice(CLIP_STAGE_NAMES), help="Run only this stage.")
@_SHARED
def clips(source: str | None, out: str | None, stages: tuple[str, ...], fresh: bool, **settings: Any) -> None:
    """Draw the characters of SOURCE in motion, as frames, pairs or files of other trainers.

    The layout `frames` writes DIR/frames/CLIP/{color,mask,pos}, which `specsia enhance` takes; `pairs` writes
    the dataset DIR/dataset, of moving reconstructions beside the clean frames. A stopped run continues where
    it was. SOURCE may also be a drawing: its reconstruction gets a rig, is written to DIR-character, and
    serves as the character.
    """
    from specsia_build.pipeline.build import build as run_build
    from specsia_build.pipeline.run import effective, named_settings, stated
    from specsia_build.repairing.files import is_drawing
    from specsia_build.stages.clips.actor import check_settings, located
    from specsia_build.stages.registry import refuse_unused_stages

    if source is not None and is_drawing(Path(source)):
        from specsia_build.repairing.character import write_source

        folder = Path(f"{out or DEFAULT_CLIPS_OUT}-character")
        manifest, warnings = write_source(Path(source), folder)
        for warning in warnings:
            terminal.say(f"warning: {warning}")
        source = str(manifest)
    name = settings.pop("config_name")
    names = set(ClipSettings.__dataclass_fields__)
    of_clips = {key: value for key, value in stated(settings).items() if key in names}
    others = {key: value for key, value in settings.items() if key not in names}
    if others["backends"]:
        of_clips["reconstructed"] = True
    if motions := of_clips.get("motions"):
        of_clips["motions"] = [located(name) for name in motions]
    config_file = None if name is None else named_settings(name)
    flags = {**others, "clips": of_clips}
    config, paths = effective(source, out or DEFAULT_CLIPS_OUT, config_file, flags, fresh)
    assert config.clips is not None
    # A preview that an earlier command of the run asked for is not an error.
    if of_clips.get("preview") and FRAMES not in config.clips.layouts:
        problem = f"films of clips are written by the layout {FRAMES}, not by {some(config.clips.layouts)}"
        raise UsageError(f"{problem}: add --layout {FRAMES}, or leave out --preview")
    check_settings(config)
    refuse_unused_stages(stages, config)
    end(run_build(config, paths, stages or CLIP_STAGE_NAMES, fresh), config, paths)


@command("specsia merge share-1 share-2 --out whole", "specsia merge share-* --out whole", goes_on=True)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@option("--out", required=True, help="Folder of the merged run, or a URL to send its dataset to.")
@max_failures
@json_option
def merge(runs: tuple[str, ...], out: str, max_failures: str | None) -> None:
    """Join runs that each built a share of one source, and pack the whole.

    Each RUN is a folder that `specsia build --shard I/N --out RUN` (or `specsia clips`) wrote, on any
    machine. The dataset has the bytes that one build of the whole source gives. Runs may hold the same
    artefacts, but not different ones of the same character. The source must be on this machine. The same
    command continues a stopped merge.
    """
    from specsia_build.pipeline.build import build as run_build
    from specsia_build.pipeline.build import merge as merge_runs
    from specsia_build.pipeline.run import paths_of

    check_failures(max_failures)
    paths = paths_of(out)
    config = replace(merge_runs([Path(run) for run in runs], paths), max_failures=max_failures)
    end(run_build(config, paths, STAGE_NAMES[-1:], False), config, paths)


@command("specsia status my-run", "specsia status my-run --json")
@click.argument("folder", metavar="DIR")
@json_option
def status(folder: str) -> None:
    """Show what the run in DIR holds, what failed and why, and what a build would do next."""
    from specsia_build.pipeline.run import existing_run
    from specsia_build.pipeline.status import run_status

    state = run_status(*existing_run(folder))
    tell(asdict(state) | as_json_by_name(state.warnings) | {"next": state.next_step}, _status_lines(state))


def _status_lines(state: RunStatus) -> list[str | Table]:
    rows = [
        (f"{s.stage} {s.backend or ''}".rstrip(), s.done, s.stale, s.missing, s.waiting, s.failed)
        for s in state.stages
    ]
    head = ("stage", "done", "stale", "missing", "waiting", "failed")
    packed = "all is packed" if state.current else "packed, but not as a build would pack it now"
    return [
        f"{state.source}: {plural(state.characters, 'character')}",
        Table(head, rows, right=range(1, 6)),
        *(f"warning: {line}" for line in warning_lines(state.warnings)),
        f"pack                 {packed if state.packed else 'nothing is packed yet'}",
        *(f"{kind}: {line}" for kind, lines in failure_sentences(state.failures).items() for line in lines),
        *(f"note: {note}" for note in state.empty_splits),
        state.next_step,
    ]
