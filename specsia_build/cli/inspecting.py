"""`specsia characters`, `backends`, `doctor` and `study`: ask about a source, this machine, and people."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import option

from specsia_build.cli.closing import Coded, by_code, warning_lines
from specsia_build.cli.command import (
    FILE,
    FOLDER,
    OLD_FILE,
    CommandGroup,
    command,
    conclude,
    json_option,
    tell,
)
from specsia_build.config import BuildConfig
from specsia_build.doctor import OK, caches, examine, size_of, works
from specsia_build.errors import UsageError, plural, some
from specsia_build.files.writing import remove_tree, write_bytes
from specsia_build.folders import refuse_foreign_file
from specsia_build.memory import MEMORY, format_size
from specsia_build.terminal import Table, say
from specsia_build.warning import as_json

if TYPE_CHECKING:
    from specsia_build.characters.survey import CharacterFacts


@command(
    "specsia characters path/to/characters",
    "specsia characters sample:3 --pictures characters.html",
    source=True,
)
@click.argument("source")
@option(
    "--memory", metavar="SIZE", default=MEMORY, show_default=True, help="Memory that one character may take."
)
@option("--workers", type=int, default=0, help="Processes; 0 is one for each core.  [default: 0]")
@option("--limit", type=int, help="Only the first N characters of the source.")
@option("--parts", metavar="ID", help="List the parts of one character, by the names that `drop` takes.")
@option(
    "--suggest", metavar="FILE.jsonl", type=FILE, help="Write a manifest to edit, with suggested settings."
)
@option(
    "--pictures", metavar="FILE.html", type=FILE, help="Write an HTML page with view 0 of each character."
)
@json_option
def characters(
    source: str, parts: str | None, suggest: Path | None, pictures: Path | None, **limits: Any
) -> None:
    """List what SOURCE holds before anything is built: formats, sizes, fronts, problems."""
    from specsia_build.characters.sources import open_source
    from specsia_build.characters.survey import same_files, suggested_manifest
    from specsia_build.look.open import gallery_of_source
    from specsia_build.look.page import refuse_other_file, write_page
    from specsia_build.pipeline.status import survey_all

    if suggest is not None:
        if suggest.suffix.lower() != ".jsonl":
            raise UsageError(f"'{suggest}' would not be read as a manifest: name it something.jsonl")
        refuse_foreign_file(suggest, "empty file", None)
    if pictures is not None:
        refuse_other_file(pictures)
    config = BuildConfig(source=source, **limits)
    with tempfile.TemporaryDirectory(prefix="specsia-") as scratch:
        opened = open_source(source, Path(scratch))
        if parts is not None:
            opened = replace(opened, entries=tuple(entry for entry in opened.entries if entry.id == parts))
            if not opened.entries:
                problem = f"{opened.name} holds no character '{parts}'"
                raise UsageError(f"{problem}: `specsia characters` lists their ids")
        opened = replace(opened, entries=opened.entries[: config.limit])
        surveyed = survey_all(opened.entries, config, pictured=pictures is not None)
        facts, views = [facts for facts, _ in surveyed], [view for _, view in surveyed]
        sound = {character.id for character in facts if character.problem is None}
        doubles = same_files(entry for entry in opened.entries if entry.id in sound)
        if suggest is not None:
            manifest = suggested_manifest(opened, facts, suggest)
    same = [f'{some(ids)} are one file: keep one, or give them the same "split"' for ids in doubles]
    notes = [*opened.notes, *same] if parts is None else []
    lines = _part_lines(facts[0]) if parts is not None else _lines(facts, notes)
    if suggest is not None:
        write_bytes(suggest, manifest)
        count = plural(manifest.count(b"\n"), "character")
        lines.append(f"{suggest} lists {count}: read its comments, edit it, build it")
    if pictures is not None:
        write_page(gallery_of_source(opened.name, facts, views), {}, pictures)
        lines.append(f"the pictures are in {pictures}")
    described = [asdict(character) | as_json(character.warnings) for character in facts]
    document = {"source": opened.name, "kind": opened.kind, "characters": described, "notes": notes}
    tell(document, lines, ok=bool(sound))


def _part_lines(facts: CharacterFacts) -> list[str]:
    warnings = [f"warning: {facts.id}: {sentence}" for sentence in facts.warnings]
    if facts.problem is not None:
        return [*warnings, f"problem: {facts.id}: {facts.problem}"]
    return [*facts.parts, *warnings, plural(len(facts.parts), "part") + f" of {facts.id}"]


def _lines(facts: Sequence[CharacterFacts], notes: Sequence[str]) -> list[str | Table]:
    head = ("id", "format", "vertices", "triangles", "textures", "faces", "rig")
    rows = []
    for character in (character for character in facts if character.problem is None):
        counts = f"{character.vertices:,}", f"{character.triangles:,}"
        clips = f", {plural(character.animations, 'clip')}" if character.animations else ""
        looks = ", ".join(character.textures) or "-", character.faces or "-"
        skin = "skin" if character.skinned else "no skin"
        rows.append((character.id, character.format, *counts, *looks, f"{skin}{clips}"))
    warned = {character.id: character.warnings for character in facts}
    problems = [Coded(c.id, c.code or "unusable", c.problem) for c in facts if c.problem is not None]
    formats = Counter(character.format or "?" for character in facts)
    held = ", ".join(f"{count} {name}" for name, count in sorted(formats.items()))
    triangles = plural(sum(character.triangles for character in facts), "triangle")
    return [
        *([Table(head, rows, right=(2, 3))] if rows else []),
        *(f"warning: {line}" for line in warning_lines(warned)),
        *(f"problem: {line}" for line in by_code(problems)),
        *(f"note: {note}" for note in notes),
        f"{plural(len(facts), 'character')} ({held}), {triangles}, {len(problems)} with problems",
    ]


@click.group(cls=CommandGroup, examples=("specsia backends list", "specsia backends selftest relief"))
def backends() -> None:
    """Reconstruction backends."""


@backends.command("list", examples=("specsia backends list", "specsia backends list --json"))
@json_option
def list_backends() -> None:
    """List the installed backends."""
    from specsia_build.backends.registry import available_backends

    names = available_backends()
    tell({"backends": names}, names)


@backends.command(
    "doctor", examples=("specsia backends doctor wonder3d", "specsia backends doctor crm --json")
)
@click.argument("name")
@option("--root", type=click.Path(path_type=Path), help="The checkout of the upstream project.")
@option("--python", type=click.Path(path_type=Path), help="The interpreter of its environment.")
@json_option
def diagnose_backend(name: str, root: Path | None, python: Path | None) -> None:
    """Show what the upstream project NAME lacks, and how to fix it.

    Looks at the checkout and its commit, Python, packages, weights and GPU, and at whether everything that
    the worker uses of the checkout exists; that part needs neither GPU nor weights.
    """
    from specsia_build.backends.upstream.doctor import ABSENT, diagnose
    from specsia_build.backends.upstream.pins import find_installation, read_pins

    checks = diagnose(read_pins(name), find_installation(name, root, python))
    lines: list[str] = []
    for check in checks:
        lines += _check_lines(check.state, check.name, check.details, check.fix)
    missing = sum(check.state == ABSENT for check in checks)
    lines.append(f"{name} lacks {missing} of {len(checks)} things" if missing else f"{name} is ready")
    ok = missing == 0
    tell({"name": name, "checks": [asdict(check) for check in checks], "ok": ok}, lines, ok=ok)


@backends.command(
    "selftest",
    short_help="Check whether the mesh of backend NAME comes in the right frame.",
    examples=("specsia backends selftest relief", "specsia backends selftest fusion:0.5"),
)
@click.argument("name", metavar="NAME[:ARG]")
@json_option
def run_selftest(name: str) -> None:
    """Run backend NAME on a built-in figure and check that its mesh has the right axes.

    Among its turns by right angles and their mirror images, the mesh itself must look most like the picture.
    """
    from specsia_build.backends.registry import load_backend
    from specsia_build.backends.selftest import report, selftest

    backend = load_backend(name)
    try:
        result = selftest(backend)
    finally:
        backend.close()
    tell(result.document(), report(result), ok=result.ok)


@command("specsia doctor", "specsia doctor --clean")
@option("--clean", is_flag=True, help="Say how large the caches are, and remove them.")
@option("--yes", is_flag=True, help="Remove them without asking.")
@json_option
def doctor(clean: bool, yes: bool) -> None:
    """Show what this machine has and lacks, what that would enable, and the line that installs it.

    Nothing is changed, and nothing is asked of a network. The exit code is 1 if something is broken that
    every build needs. `specsia backends doctor NAME` looks at one upstream project.

    With --clean it removes what can be made again: compiled code, exports of .blend files, decoded datasets,
    and files of web servers that were killed. No command may be running.
    """
    if clean or yes:
        _clean(yes)
        return
    facts, lines = examine(), []
    ok = works(facts)
    for fact in facts:
        is_missing = fact.state != OK
        enables = f"for {fact.enables}" if is_missing and fact.enables else ""
        lines += _check_lines(fact.state, fact.name, fact.details, fact.fix if is_missing else "", enables)
    lines.append("datasets can be built here" if ok else "datasets cannot be built here: fix what is broken")
    tell({"facts": [asdict(fact) for fact in facts], "ok": ok}, lines, ok=ok)


def _clean(yes: bool) -> None:
    stored = caches()
    sizes = {name: size_of(folders) for name, folders in stored.items()}
    for name, folders in stored.items():
        if sizes[name]:
            places = sorted({str(folder.parent) for folder in folders if folder.is_dir()})
            say(f"{format_size(sizes[name])} of {name} in {', '.join(places)}")
    total = sum(sizes.values())
    if total and (yes or click.confirm(f"Remove these {format_size(total)}?", abort=True, err=True)):
        for folder in chain(*stored.values()):
            remove_tree(folder)
    left = sum(map(size_of, stored.values()))
    tell({"removed": sizes, "left": left}, [f"removed {format_size(total - left)}"], ok=left == 0)


def _check_lines(state: str, name: str, result: str, fix: str | None, enables: str = "") -> list[str]:
    details = [enables, f"fix: {fix}" if fix else ""]
    return [f"{state:8}{name}: {result}", *(f"{'':8}{line}" for line in details if line)]


@command("specsia study scores --out my-study", "specsia study --score answers.csv --score others.csv")
@click.argument("runs", metavar="RUN...", nargs=-1)
@option("--out", type=FOLDER, help="Folder of the page: new or empty.")
@option("--pairs", type=click.IntRange(1, 1000), default=30, show_default=True, help="Most pairs of films.")
@option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of pairs and order.")
@option("--question", default="Which one looks better?", show_default=True, help="What the page asks.")
@option("--score", type=OLD_FILE, multiple=True, help="Score the answers of a person; may be repeated.")
@json_option
def study(
    runs: tuple[str, ...], out: Path | None, pairs: int, seed: int, question: str, score: tuple[Path, ...]
) -> None:
    """Ask people which of two films is better, or score their answers.

    A RUN is a folder of `specsia evaluate` or `specsia repair`, a run or a dataset. --out receives a page,
    index.html, and its films. The page shows random pairs of the same character or clip by two methods or
    runs, without names, each twice with the sides swapped. People answer by arrow keys and save answers.csv.
    --score prints the share of answers for one over another, with 95 % intervals over pairs, and the share of
    pairs that a person answered alike both times.
    """
    from specsia_build.dravie.evaluate.study import PAGE, score_study, write_study

    if bool(runs) == bool(score) or bool(runs) != (out is not None):
        raise UsageError("give RUN... and --out for a page, or --score FILE for answers")
    if out is not None:
        count = write_study(runs, out, pairs, seed, question)
        follow = "specsia study --score answers.csv"
        facts = {"page": [str(out / PAGE)], "seed": [str(seed)], "next": [follow]}
        document = {"page": str(out / PAGE), "pairs": count, "seed": seed}
        conclude(document, [str(out / PAGE)], f"{plural(count, 'pair')} of films, each twice", facts)
        return
    scored = score_study(score)
    lines = [*map(str, scored.shares), *([] if scored.agreement is None else [f"agreement: {scored.alike}"])]
    conclude(asdict(scored), lines, plural(len(score), "file") + " of answers", {"shares": lines})
