"""`specsia characters` and `specsia status`: looking without changing anything."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specsia_build.cli.closing import failure_lines, warned
from specsia_build.cli.command import Command
from specsia_build.cli.output import Table, is_document, json_option, tell
from specsia_build.config import BuildConfig
from specsia_build.errors import UsageError, plural, some
from specsia_build.files.writing import write_bytes
from specsia_build.memory import MEMORY
from specsia_build.ownership import refuse_foreign_file
from specsia_build.terminal.drawing import show_above
from specsia_build.terminal.layout import folded

if TYPE_CHECKING:
    from specsia_build.characters.survey import CharacterFacts
    from specsia_build.pipeline.status import RunStatus


PAGE = click.Path(dir_okay=False, path_type=Path)

_MOST_SHAPES = 20

LINE_END = b"\n"


@click.command(
    cls=Command,
    takes_source=True,
    examples=("specsia characters path/to/characters", "specsia characters sample:3 --pictures characters.html"),
)
@click.argument("source")
@click.option("--memory", metavar="SIZE", default=MEMORY, show_default=True, help="What a character may cost.")
@click.option("--workers", type=int, default=0, help="Processes; 0 is one for each core.  [default: 0]")
@click.option("--limit", type=int, help="Only the first so many characters of the source.")
@click.option("--parts", metavar="ID", help="List the parts of one character, with what `drop` may call them.")
@click.option("--suggest", metavar="FILE.jsonl", type=PAGE, help="Write a manifest to edit, with what evidence says.")
@click.option("--pictures", metavar="FILE.html", type=PAGE, help="Write a page with view 0 of each character.")
@json_option
def characters(
    source: str,
    memory: str,
    workers: int,
    limit: int | None,
    parts: str | None,
    suggest: Path | None,
    pictures: Path | None,
) -> None:
    """List what SOURCE holds before anything is built: formats, sizes, poses, problems."""
    from specsia_build.characters.doubles import same_files, same_shapes
    from specsia_build.characters.sources import open_source
    from specsia_build.characters.suggest import suggested_manifest
    from specsia_build.look.open import gallery_of_source
    from specsia_build.look.page import refuse_other_file, write_page
    from specsia_build.pipeline.progress import Progress
    from specsia_build.pipeline.survey import survey_all

    if suggest is not None:
        if suggest.suffix.lower() != ".jsonl":
            raise UsageError(f"'{suggest}' would not be read as a manifest: name it something.jsonl")
        refuse_foreign_file(suggest, "empty file", None)
    if pictures is not None:
        refuse_other_file(pictures)
    config = BuildConfig(source=source, memory=memory, workers=workers, limit=limit)
    with tempfile.TemporaryDirectory(prefix="specsia-") as scratch:
        opened = open_source(source, Path(scratch))
        if parts is not None:
            opened = replace(opened, entries=tuple(entry for entry in opened.entries if entry.id == parts))
            if not opened.entries:
                raise UsageError(f"{opened.name} holds no character '{parts}': `specsia characters` lists their ids")
        opened = replace(opened, entries=opened.entries[:limit])
        told = {} if is_document() or parts is not None else {"told": _show_page}
        facts, views = survey_all(opened.entries, config, Progress(), pictured=pictures is not None, **told)
        sound = {f.id for f in facts if f.problem is None}
        doubles = same_files(entry for entry in opened.entries if entry.id in sound)
        alike = same_shapes(opened.entries, [f.shape for f in facts])
        suggested = None if suggest is None else suggested_manifest(opened, facts, suggest, [*alike, *doubles])
    problems = [f for f in facts if f.problem is not None]
    files = [set(ids) for ids in doubles]
    shapes = [ids for ids in alike if not any(map(set(ids).issubset, files))]
    notes = [*opened.notes, *_notes(facts, doubles, shapes)] if parts is None else []
    document = {"source": opened.name, "kind": opened.kind, "characters": [asdict(f) for f in facts], "notes": notes}
    lines: list[str | Table] = [*_character_lines(facts, problems, notes)] if parts is None else _part_lines(facts[0])
    if suggest is not None and suggested is not None:
        write_bytes(suggest, suggested)
        found = suggested.count(LINE_END)
        are = "is" if found == 1 else "are"
        lines.append(f"{plural(found, 'character')} {are} in {suggest}: read its comments, edit it, build it")
    if pictures is not None:
        write_page(gallery_of_source(opened.name, facts, views), {}, pictures, Progress())
        lines.append(f"the pictures are in {pictures}")
    tell(document, lines, ok=len(problems) < len(facts))


def _part_lines(facts: CharacterFacts) -> list[str | Table]:
    rows = [
        (
            piece.names[0] if piece.names else "(no name)",
            f"{piece.triangles:,}",
            *(f"{100 * extent:.1f} %" for extent in piece.size),
            ", ".join(piece.names[1:]) or "-",
        )
        for piece in facts.pieces
    ]
    head = ("part", "triangles", "width", "depth", "height", "also called, or below")
    lines: list[str | Table] = [Table(head, rows, right=(1, 2, 3, 4))] if rows else []
    lines += [f"warning: {facts.id}: {sentence}" for sentence in facts.warnings]
    if facts.problem is not None:
        return [*lines, f"problem: {facts.id}: {facts.problem}"]
    return [*lines, f"{plural(len(rows), 'part')} of {facts.id}; sizes are in its height"]


def _show_page(facts: Sequence[CharacterFacts]) -> None:
    """Show the next characters of a source, while others are still read."""
    head = ("id", "format", "vertices", "triangles", "textures", "front", "pose", "rig")
    rows = [
        (
            f.id,
            f.format,
            f"{f.vertices:,}",
            f"{f.triangles:,}",
            ", ".join(f.textures) or "-",
            f.front or "-",
            f.pose or "-",
            (("skin" if f.skinned else "no skin") + (f", {plural(f.animations, 'clip')}" if f.animations else "")),
        )
        for f in facts
        if f.problem is None
    ]
    if rows:
        show_above(Table(head, rows, right=(2, 3)))


def _notes(
    facts: Sequence[CharacterFacts],
    doubles: Sequence[Sequence[str]],
    shapes: Sequence[Sequence[str]],
) -> list[str]:
    """Notes about several characters together."""
    from specsia_build.characters.survey import UNSURE

    notes = []
    unsure = [f.id for f in facts if f.front == UNSURE]
    if unsure:
        said = f"cannot tell which way {some(unsure)} face{'s' * (len(unsure) == 1)}: look at "
        notes.append(f"{said}{'its picture' if len(unsure) == 1 else 'their pictures'} (--pictures FILE.html)")
    notes += [f"{some(ids)} are one file" for ids in doubles]
    one = 'have one shape: keep one of them, or give them the same "split" in a manifest'
    notes += [f"{some(ids)} {one}" for ids in shapes[:_MOST_SHAPES]]
    if (more := len(shapes) - _MOST_SHAPES) > 0:
        notes.append(f"{plural(more, 'more shape')} likewise")
    return notes


def _character_lines(
    facts: Sequence[CharacterFacts], problems: Sequence[CharacterFacts], notes: Sequence[str]
) -> list[str]:
    warned = folded((f.id, sentence) for f in facts for sentence in f.warnings)
    lines = [f"warning: {fold.line()}" for fold in warned]
    lines += [f"problem: {fold.line()}" for fold in folded((f.id, str(f.problem)) for f in problems)]
    lines += [f"note: {note}" for note in notes]
    counts = Counter(f.format or "?" for f in facts)
    formats = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    triangles = sum(f.triangles for f in facts)
    every = f"{plural(len(facts), 'character')} ({formats}), {plural(triangles, 'triangle')}"
    return [*lines, f"{every}, {len(problems)} with problems"]


_OVERTAKEN = "packed, but not as a build would pack it now"


@click.command(cls=Command, examples=("specsia status my-run", "specsia status my-run --json"))
@click.argument("folder", metavar="DIR")
@json_option
def status(folder: str) -> None:
    """Say what the run in DIR holds, what failed and why, and what a build would do next.

    DIR is what its --out was, a folder or a URL.
    """
    from specsia_build.pipeline.settings import existing_run
    from specsia_build.pipeline.status import run_status

    config, layout = existing_run(folder)
    found = run_status(config, layout)
    tell(asdict(found) | {"next": found.next_step}, _status_lines(found))


def _status_lines(found: RunStatus) -> list[str | Table]:
    rows = [
        (s.stage + (f" {s.backend}" if s.backend else ""), s.done, s.stale, s.missing, s.waiting, s.failed)
        for s in found.stages
    ]
    head = ("stage", "done", "stale", "missing", "waiting", "failed")
    lines: list[str | Table] = [
        f"{found.source}: {plural(found.characters, 'character')}",
        Table(head, rows, right=(1, 2, 3, 4, 5)),
        *(f"warning: {fold.line()}" for fold in warned(found.warnings)),
    ]
    packed = "nothing is packed yet" if not found.packed else "all is packed" if found.current else _OVERTAKEN
    lines.append(f"pack                 {packed}")
    if found.outdated:
        lines.append(f"made by other versions, which a build makes anew: {'; '.join(found.outdated)}")
    lines += failure_lines(found.failures)
    lines += [f"note: {note}" for note in found.empty_splits]
    lines.append(found.next_step)
    return lines
