"""Options that several commands share."""

from __future__ import annotations

import click

from specsia_build.config import KEEPS
from specsia_build.dravie.config import DEVICES

workers = click.option("--workers", type=int, help="Processes; 0 is one for each core.  [default: 0]")

memory = click.option("--memory", metavar="SIZE", help="What a character may cost in a worker.  [default: 2 GB]")

shard = click.option(
    "--shard",
    metavar="I/N",
    help="Only the I-th of N shares of the source, which `specsia merge` joins.  [default: all]",
)

exclude = click.option(
    "--exclude", metavar="FILE", help="Leave out the characters whose ids this file names, one a line."
)

outline = click.option(
    "--outline", metavar="random|dark|GREY", help="Grey of the contour of Y*, 0-255.  [default: random, any grey]"
)

keep = click.option(
    "--keep",
    type=click.Choice(KEEPS),
    help="Artefacts to keep once all is packed and checked; what a later build needs of them it makes again.  "
    "[default: all]",
)

device = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    help="Where to compute; auto is CUDA where it is found.  [default: auto]",
)
