"""`specsia characters` and `specsia status`: looking without changing anything."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from specsia_build.characters.sources import open_source
from specsia_build.characters.survey import CharacterFacts
from specsia_build.cli.main import FAILED
from specsia_build.cli.output import json_option, tell, text_table
from specsia_build.memory import MEMORY
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.settings import existing_run
from specsia_build.pipeline.status import RunStatus, run_status
from specsia_build.pipeline.survey import survey_all


@click.command()
@click.argument("source")
@click.option("--memory", metavar="SIZE", default=MEMORY, show_default=True, help="What a character may cost.")
@json_option
@click.pass_context
def characters(ctx: click.Context, source: str, memory: str, as_json: bool) -> None:
    """List what SOURCE holds before anything is built: formats, sizes, poses, problems."""
    with tempfile.TemporaryDirectory(prefix="specsia-") as scratch:
        opened = open_source(source, Path(scratch))
        facts = survey_all(opened.entries, memory, Progress())
    problems = [f for f in facts if f.problem is not None]
    document = {"source": opened.name, "kind": opened.kind, "characters": [asdict(f) for f in facts]}
    tell(as_json, document, _character_lines(facts, problems))
    if len(problems) == len(facts):
        ctx.exit(FAILED)


def _character_lines(facts: Sequence[CharacterFacts], problems: Sequence[CharacterFacts]) -> list[str]:
    head = ("id", "format", "vertices", "triangles", "textures", "faces", "pose", "rig")
    rows = [
        (
            f.id,
            f.format,
            f"{f.vertices:,}",
            f"{f.triangles:,}",
            ", ".join(f.textures) or "-",
            f.faces,
            f.pose or "-",
            (("skin" if f.skinned else "no skin") + (f", {f.animations} clips" if f.animations else "")),
        )
        for f in facts
        if f.problem is None
    ]
    lines = text_table(head, rows, right=(2, 3)) if rows else []
    lines += [f"warning: {f.id}: {sentence}" for f in facts for sentence in f.warnings]
    lines += [f"problem: {f.id}: {f.problem}" for f in problems]
    counts = Counter(f.format or "?" for f in facts)
    formats = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    triangles = sum(f.triangles for f in facts)
    return [*lines, f"{len(facts)} characters ({formats}), {triangles:,} triangles, {len(problems)} with problems"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Say what the run in DIR holds, what failed and why, and what a build would do next."""
    config, layout = existing_run(folder)
    found = run_status(config, layout)
    tell(as_json, asdict(found) | {"next": found.next_step}, _status_lines(found))


def _status_lines(found: RunStatus) -> list[str]:
    rows = [
        (s.stage + (f" {s.backend}" if s.backend else ""), s.done, s.stale, s.missing, s.waiting, s.failed)
        for s in found.stages
    ]
    head = ("stage", "done", "stale", "missing", "waiting", "failed")
    lines = [
        f"{found.source}: {found.characters} characters",
        *text_table(head, rows, right=(1, 2, 3, 4, 5)),
    ]
    lines.append("pack                 " + ("a dataset is packed" if found.packed else "nothing is packed yet"))
    for f in found.failures:
        what = "quarantined" if f.low_quality else "failed"
        lines.append(f"{what}: {f.id} at {f.stage}{' ' + f.backend if f.backend else ''}: {f.reason}")
    lines.append(found.next_step)
    return lines
