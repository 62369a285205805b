"""Print the end of a build, and make one line of the warnings of each code about many characters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from specsia_build.cli.command import conclude
from specsia_build.config import FRAMES, NONE, BuildConfig, backend_name
from specsia_build.errors import argument, plural, some
from specsia_build.warning import Warning, as_json

if TYPE_CHECKING:
    from specsia_build.pipeline.failures import BuildSummary, Failure, StageSummary
    from specsia_build.pipeline.run import RunPaths

_MOST_LINES, _MOST_NAMES = 8, 3  # Lines and names that are listed


class Coded(NamedTuple):
    """A sentence about a character, drawing or clip, and the code of its kind."""

    name: str
    code: str
    sentence: str


def by_code(sentences: Iterable[Coded], noun: str = "characters", where: str = "") -> list[str]:
    """Make a line of each kind of sentence, that about the most characters first.

    A line is ``knight: sentence [code]`` or ``12 characters (a, b, c and 9 more), such as: sentence [code]``;
    `where` follows names.
    """
    groups: dict[str, list[Coded]] = {}
    for each in sentences:
        groups.setdefault(each.code, []).append(each)
    lines = []
    for code, group in sorted(groups.items(), key=lambda group: -len({each.name for each in group[1]})):
        names = list(dict.fromkeys(each.name for each in group))
        listed = some(names) if len(names) == 1 else f"{len(names):,} {noun} ({some(names, _MOST_NAMES)})"
        such = "" if len({each.sentence for each in group}) == 1 else ", such as"
        lines.append(f"{listed}{where}{such}: {group[0].sentence} [{code}]")
    return lines


def most(lines: Sequence[str], command: str) -> list[str]:
    """Keep the first lines of many, and name the command that lists all."""
    if len(lines) <= _MOST_LINES:
        return list(lines)
    return [*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES:,} more of other kinds: {command}"]


def document_of(summary: BuildSummary) -> dict[str, Any]:
    """The result of a build as one JSON document."""
    document = asdict(summary) | {
        **as_json_by_name(summary.warnings),
        "failed": summary.failed,
        "low_quality": summary.low_quality,
        "dataset": None if summary.dataset is None else str(summary.dataset),
        "rows": None if summary.rows is None else sum(summary.rows.values()),
        "configurations": dict(summary.rows or {}),
    }
    if summary.clips is None:
        del document["clips"]
    return document


def warning_lines(warnings: Mapping[str, Sequence[Warning]]) -> list[str]:
    """Make a line of the warnings of each code, given by character."""
    every = ((name, warning) for name, own in sorted(warnings.items()) for warning in own)
    return by_code(Coded(name, warning.code, warning.sentence) for name, warning in every)


def as_json_by_name(warnings: Mapping[str, Sequence[Warning]]) -> dict[str, dict[str, list[Any]]]:
    """Fields of a JSON document: by name the sentences, and in the same order the records."""
    document: dict[str, dict[str, list[Any]]] = {"warnings": {}, "coded": {}}
    for name, own in sorted(warnings.items()):
        for key, listed in as_json(own).items():
            if own:
                document[key][name] = listed
    return document


def failure_sentences(failures: Iterable[Failure]) -> dict[str, list[str]]:
    """Make sentences of failures by their kind, ``failed`` or ``quarantined``."""
    groups: dict[tuple[str, str, str], list[Coded]] = {}
    for failure in failures:
        kind = "quarantined" if failure.low_quality else "failed"
        noun = "characters" if failure.clip is None else "clips"
        stage = f"{failure.stage} {failure.backend or ''}".rstrip()
        groups.setdefault((kind, noun, stage), []).append(Coded(failure.key, failure.code, failure.reason))
    sentences: dict[str, list[str]] = {"failed": [], "quarantined": []}
    for (kind, noun, stage), reasons in groups.items():
        sentences[kind] += by_code(reasons, noun, f" at {stage}")
    return sentences


def end(summary: BuildSummary, config: BuildConfig, paths: RunPaths) -> None:
    """Print what a build did; exit with an error if it failed."""
    results, load, follows = _results(summary, config, paths)
    trouble, run = None, argument(paths.out)
    if summary.stopped is not None:
        what = "stopped before pack" if summary.clips is None else "clips are missing"
        trouble = f"{what}: {summary.stopped}"
    elif summary.failed > summary.allowed_failures:
        total = plural(summary.characters, "character")
        if summary.clips is not None:
            total = plural(summary.clips, "clip")
        most_failed = f"more than the allowed {summary.allowed_failures}"
        trouble = f"{summary.failed} of {total} failed, {most_failed}: see {paths.failures}"
    counts = []
    if summary.failed:
        counts.append(f"{summary.failed:,} failed")
    if summary.low_quality:
        counts.append(f"{summary.low_quality:,} quarantined")
    freed = f"{summary.freed:,} bytes of {paths.root}, by --keep {config.keep}"
    pictures = f"{paths.root / 'quarantine'} shows why"
    if any(failure.may_be_kept for failure in summary.failures):
        pictures += "; to pack them, lower --min-iou or give --low-iou keep"
    failures = failure_sentences(summary.failures)
    facts = {
        "built": _counts(summary.stages, "built") or ["nothing" if trouble else "nothing: all is up to date"],
        "up to date": _counts(summary.stages, "kept"),
        "freed": [freed] if summary.freed else [],
        **{kind: most(sentences, f"specsia status {run}") for kind, sentences in failures.items()},
        "warnings": most(warning_lines(summary.warnings), str(paths.warnings)),
        "splits": most([*summary.empty_splits, *summary.doubles], f"{config.command} --out {run} --json"),
        "dataset": [] if summary.dataset is None else [str(summary.dataset)],
        "failures": [str(paths.failures)] if summary.failures else [],
        "pictures": [pictures] if summary.low_quality else [],
        "logs": [str(paths.log.parent)],
        "load": load,
        "next": follows,
    }
    title = ", ".join([f"{plural(summary.characters, 'character')} of {summary.source}", *counts])
    conclude(document_of(summary), results, title, facts, trouble=trouble)


def _counts(stages: Sequence[StageSummary], field: str) -> list[str]:
    """A line of counts by stage; empty if all are 0."""
    counts = {f"{stage.stage} {stage.backend or ''}".rstrip(): getattr(stage, field) for stage in stages}
    line = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return [line] if line else []


def _results(
    summary: BuildSummary, config: BuildConfig, paths: RunPaths
) -> tuple[list[str], list[str], list[str]]:
    """Lines on what was written and where, lines that load it, and the next commands."""
    from specsia_build.dataset.schema import CARD, load_lines
    from specsia_build.layouts.registry import load_layout

    lines = []
    load = []
    follows = []
    rows = summary.rows or {}
    run = argument(paths.out)
    for name, count in (summary.layouts or {}).items():
        folder = damaged = paths.packed(name)
        line = f"{_are(count, load_layout(name).part_noun, summary.source)} in {folder}"
        if name == FRAMES:
            moved = config.backends if config.clips is not None and config.clips.pairs else ()
            folders = {backend_name(spec): paths.packed(name, backend_name(spec)) for spec in moved}
            line += "".join(f" and, by {backend}, in {where}" for backend, where in folders.items())
            damaged = next(iter(folders.values()), folder)
            follows.append(f"specsia enhance pretrained {argument(damaged)}/CLIP --out repaired")
        else:
            load.append(f"{folder / CARD} says how")
        lines.append(line)
        follows.append(f"specsia verify {argument(folder)}")
    for name, count in rows.items():
        source = f"{summary.source} by {name}" if len(rows) > 1 else summary.source
        lines.append(f"{_are(count, 'row', source)} in {summary.dataset}")
    if summary.stopped is not None:
        follows = [f"specsia status {run}"]
    elif not lines:
        lines = [f"done: {', '.join(dict.fromkeys(stage.stage for stage in summary.stages))} in {paths.root}"]
    if summary.stopped is None and summary.dataset is None and not summary.layouts:
        follows = [f"{config.command} --out {run}"]
    elif summary.stopped is None:
        packed = [] if summary.dataset is None else [argument(summary.dataset)]
        pictured = packed if config.keep == NONE and paths.url is None else [run]
        follows += [f"specsia report {where}" for where in pictured]
        follows += [f"specsia verify {where}" for where in packed]
    return lines, [*load, *([] if summary.dataset is None else load_lines(summary.dataset, rows))], follows


def _are(count: int, noun: str, source: str) -> str:
    return f"{plural(count, noun)} of {source} {'is' if count == 1 else 'are'}"
