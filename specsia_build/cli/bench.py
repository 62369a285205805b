"""`specsia bench`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from specsia_build.cli.inspect import table
from specsia_build.config import STAGES, BuildConfig, with_settings
from specsia_build.pipeline.bench import bench as run_bench
from specsia_build.pipeline.progress import Progress


@click.command()
@click.argument("stage", required=False, type=click.Choice(STAGES))
@click.argument("source", required=False, default="sample:4")
@click.option("--size", type=int, help="Pixels on a side of every image.  [default: 512]")
@click.option("--limit", type=int, help="Measure only the first so many characters of the source.")
@click.option(
    "--backend", "backends", multiple=True, metavar="NAME[:ARG]", help="Reconstruction backend.  [default: inflate]"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def bench(stage: str | None, source: str, as_json: bool, **flags: Any) -> None:
    """Measure what a STAGE (or all) costs per character of SOURCE on one core, next to a peer in the same run."""
    given = {name: value for name, value in flags.items() if value is not None and value != ()}
    config = with_settings(BuildConfig(), given | {"source": source}, "the command line")
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        report = run_bench([stage] if stage else STAGES, config, Path(folder), Progress())
    click.echo(json.dumps(report, indent=1) if as_json else _text(report))


def _text(report: dict[str, Any]) -> str:
    lines = [
        f"{report['source']}: {report['characters']} characters, {report['views']} views, {report['size']} px, one core"
    ]
    rows: list[tuple[object, ...]] = []
    for stage, found in report["stages"].items():
        rows.append((stage, "", f"{1000 * found['seconds_per_character']:.1f}", ""))
        for part, seconds in found.get("seconds_by_part", {}).items():
            rows.append(("", part, f"{1000 * seconds:.1f}", f"{100 * found['share_by_part'][part]:.0f} %"))
    lines.append(table(("stage", "part", "ms per character", "share"), rows, right=(2, 3)))
    for stage, found in report["stages"].items():
        if "ms_per_view" in found:
            lines.append(f"{stage}: {found['ms_per_view']} ms per view for colour, coverage and position")
        if "peer" in found:
            lines.append(f"{stage}: {found['peer']['times_faster']} times as fast as {found['peer']['name']}")
    return "\n".join(lines)
