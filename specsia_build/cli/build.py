"""`specsia build`."""

from __future__ import annotations

from typing import Any

import click

from specsia_build.cli import options
from specsia_build.cli.closing import end
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.config import EXECUTORS, LOOKS, LOW_IOU_ACTIONS, RENDERERS

STAGES = ("render", "reconstruct", "project", "pack")
"""Names of the stages, known to help without importing them."""


@click.command(
    cls=Command,
    goes_on=True,
    takes_source=True,
    examples=("specsia build sample:3 --out my-samples", "specsia build path/to/characters --out my-run"),
    context_settings={"show_default": False},
)
@click.argument("source", required=False)
@click.option("--out", help="Folder of the run, or a URL (s3://...) to send its dataset to.  [default: specsia-out]")
@click.option(
    "--stage", "stages", multiple=True, type=click.Choice(STAGES), help="Run only this stage; may be repeated."
)
@click.option(
    "--config",
    "config_name",
    metavar="FILE|NAME",
    help="YAML file of settings, or one that comes along: sample, specsia-15k. Flags beat it.",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    metavar="NAME[:ARG]",
    help="Reconstruction backend, of `specsia backends list`; may be repeated.  [default: relief]",
)
@click.option(
    "--like",
    metavar="DATASET",
    help="Build the characters of this packed dataset only, in its splits; a folder, a URL or OWNER/NAME on the Hub.",
)
@click.option("--renderer", metavar="NAME", help=f"What draws Y* and Z, of {', '.join(RENDERERS)}.  [default: fast]")
@click.option("--views", type=int, help="Evenly spaced views of a character.  [default: 10]")
@click.option("--size", type=int, help="Pixels on a side of every image.  [default: 512]")
@click.option(
    "--look", type=click.Choice(LOOKS), help="Plain colours, or shaded by a fixed light set.  [default: unlit]"
)
@options.outline
@options.workers
@click.option(
    "--executor",
    type=click.Choice(EXECUTORS),
    help="Run in processes of this machine, or on a Ray cluster (that of RAY_ADDRESS, one that runs here, or a new "
    "one); --workers then bounds the characters at work, by default by its CPUs.  [default: local]",
)
@options.memory
@options.shard
@click.option("--limit", type=int, help="Build only the first so many characters of the source.")
@options.exclude
@click.option("--seed", type=int, help="Of contours and backends; splits do not depend on it.  [default: 42]")
@click.option(
    "--max-failures",
    metavar="N|P%",
    help="Failed characters to put up with; as soon as more have failed, the build ends. Those quarantined for their "
    "looks do not count.  [default: 1%, at least one, counted once all are tried]",
)
@click.option(
    "--min-iou",
    type=float,
    metavar="IOU",
    help="Mean IoU with the silhouettes below which a reconstruction is of low quality.  [default: 0.5]",
)
@click.option(
    "--low-iou",
    type=click.Choice(LOW_IOU_ACTIONS),
    help="Quarantine reconstructions of low quality with their pictures, or keep them.  [default: quarantine]",
)
@options.keep
@click.option("--fresh", is_flag=True, help="Forget what the folder holds of an earlier build.")
@json_option
def build(
    source: str | None,
    out: str | None,
    stages: tuple[str, ...],
    config_name: str | None,
    fresh: bool,
    **flags: Any,
) -> None:
    """Build and pack a dataset from the characters of SOURCE.

    Without SOURCE the run found in --out goes on, or sample:24 is built. A build that was stopped goes on where it was;
    one that is up to date does nothing.
    """
    from specsia_build.pipeline.build import build as run_build
    from specsia_build.pipeline.progress import Progress
    from specsia_build.pipeline.settings import effective, named_settings

    config_file = named_settings(config_name) if config_name is not None else None
    config, layout = effective(source, out, config_file, flags, fresh)
    summary = run_build(config, layout, stages or STAGES, fresh, Progress())
    end(summary, config, layout)
