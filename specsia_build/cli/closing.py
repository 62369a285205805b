"""The end of a build: what it made, what failed, where things are, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specsia_build.cli.command import conclude
from specsia_build.config import FRAMES, NONE, BuildConfig, backend_name
from specsia_build.errors import argument, plural
from specsia_build.terminal.layout import Fold, folded, most

if TYPE_CHECKING:
    from specsia_build.pipeline.failures import Failure
    from specsia_build.pipeline.layout import RunLayout
    from specsia_build.pipeline.progress import StageSummary
    from specsia_build.pipeline.summary import BuildSummary


def document_of(summary: BuildSummary) -> dict[str, Any]:
    """What a build did, as one JSON document."""
    found = asdict(summary)
    found["warnings"] = {i: list(told) for i, told in sorted(summary.warnings.items())}
    found |= {"failed": summary.failed, "low_quality": summary.low_quality}
    found["dataset"] = None if summary.dataset is None else str(summary.dataset)
    found["rows"] = None if summary.rows is None else sum(summary.rows.values())
    found["configurations"] = dict(summary.rows or {})
    if summary.clips is None:
        del found["clips"], found["recipes"]
    return found


def folded_warnings(warnings: Mapping[str, Sequence[str]]) -> list[Fold]:
    """Sentences about characters by id, those together that say the same."""
    return folded((name, sentence) for name, found in sorted(warnings.items()) for sentence in found)


def failure_sentences(failures: Iterable[Failure]) -> dict[str, list[str]]:
    """Sentences about what ``failed`` and what was ``quarantined``, those that say the same as one."""
    groups: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
    for failure in failures:
        kind = "quarantined" if failure.low_quality else "failed"
        stage = f"{failure.stage} {failure.backend or ''}".rstrip()
        what = "characters" if failure.clip is None else "clips"
        groups.setdefault((kind, what, stage), []).append((failure.key, failure.reason))
    said: dict[str, list[str]] = {"failed": [], "quarantined": []}
    for (kind, what, stage), found in groups.items():
        said[kind] += [fold.line(what, f" at {stage}") for fold in folded(found)]
    return said


def load_lines(dataset: Path | str | None, configs: Collection[str]) -> list[str]:
    """Python that loads each configuration of a dataset; none where there is nothing to load."""
    from specsia_build.dataset.schema import data_folder

    if dataset is None or not configs:
        return []
    several, lines = len(configs) > 1, ["from datasets import load_dataset"]
    for name in configs:
        if isinstance(dataset, Path):
            named = ", ".join(json.dumps(text, ensure_ascii=False) for text in [str(dataset), name][: 1 + several])
            lines.append(f"pairs = load_dataset({named})")
        else:
            # `datasets` takes no URL for a folder, but takes its files.
            files = json.dumps(f"{dataset}/{data_folder(name, several)}/train-*.parquet", ensure_ascii=False)
            lines.append(f'pairs = load_dataset("parquet", data_files={{"train": {files}}})')
    return lines


def end(summary: BuildSummary, config: BuildConfig, layout: RunLayout) -> None:
    """Say what a build with these settings did in a run, and end with an exit code if it could not do it."""
    results, load, follows = _results(summary, config, layout)
    trouble, run = _trouble(summary, layout), argument(layout.out)
    set_aside = failure_sentences(summary.failures)
    counts = [f"{summary.failed:,} failed"] * bool(summary.failed)
    counts += [f"{summary.low_quality:,} quarantined for their looks"] * bool(summary.low_quality)
    shows = f"{layout.root / 'quarantine'} shows why"
    if any(failure.may_be_kept for failure in summary.failures):
        shows += "; --min-iou lowers what is asked, --low-iou keep packs them"
    facts = {
        "built": _counts(summary.stages, "made") or ["nothing" if trouble else "nothing: all is up to date"],
        "up to date": _counts(summary.stages, "kept"),
        "freed": [f"{summary.freed:,} bytes of {layout.root}, by --keep {config.keep}"] * bool(summary.freed),
        **{kind: most(told, f"specsia status {run}") for kind, told in set_aside.items()},
        "warnings": most([fold.line() for fold in folded_warnings(summary.warnings)], f"specsia report {run}"),
        "splits": [*summary.doubles, *summary.empty_splits],
        "dataset": [] if summary.dataset is None else [str(summary.dataset)],
        "failures": [str(layout.failures)] * bool(summary.failures),
        "pictures": [shows] * bool(summary.low_quality),
        "logs": [str(layout.log.parent)],
        "load": load,
        "next": follows,
    }
    title = ", ".join([f"{plural(summary.characters, 'character')} of {summary.source}", *counts])
    conclude(document_of(summary), results, title, facts, trouble=trouble)


def _counts(stages: Sequence[StageSummary], which: str) -> list[str]:
    counts = {f"{stage.stage} {stage.backend or ''}".rstrip(): getattr(stage, which) for stage in stages}
    line = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return [line] if line else []


def _trouble(summary: BuildSummary, layout: RunLayout) -> str | None:
    """Why a build is not what was asked for."""
    if summary.stopped is not None:
        return f"{'stopped before pack' if summary.clips is None else 'clips are missing'}: {summary.stopped}"
    if summary.failed > summary.allowed_failures:
        every = plural(summary.characters, "character") if summary.clips is None else plural(summary.clips, "clip")
        return f"{summary.failed} of {every} failed, {summary.allowed_failures} may: see {layout.failures}"
    return None


def _results(summary: BuildSummary, config: BuildConfig, layout: RunLayout) -> tuple[list[str], list[str], list[str]]:
    """What was packed or written where, how it is loaded, and the commands that come next."""
    from specsia_build.dataset.schema import CARD
    from specsia_build.pipeline.recipes import recipe_folder
    from specsia_build.recipes.registry import load_recipe

    made, load, follows, rows = [], [], [], summary.rows or {}
    for name, count in (summary.recipes or {}).items():
        where = recipe_folder(layout, name, None)
        moves = name == FRAMES and config.clips is not None and config.clips.pairs
        backends = [backend_name(spec) for spec in config.backends] if moves else []
        moved = "".join(f" and, by {backend}, in {recipe_folder(layout, name, backend)}" for backend in backends)
        made.append(f"{_are(count, load_recipe(name).by, summary.source)} in {where}{moved}")
        if name == FRAMES:
            damaged = recipe_folder(layout, name, backends[0]) if backends else where
            follows.append(f"specsia enhance pretrained {argument(damaged)}/CLIP --out repaired")
        else:
            load.append(f"{where / CARD} says how")
        follows.append(f"specsia verify {argument(where)}")
    for name, count in rows.items():
        by = f"{summary.source} by {name}" if len(rows) > 1 else summary.source
        made.append(f"{_are(count, 'row', by)} in {summary.dataset}")
    if summary.stopped is None and not made:
        made = [f"done: {', '.join(dict.fromkeys(stage.stage for stage in summary.stages))} in {layout.root}"]
    run = argument(layout.out)
    if summary.stopped is not None:
        follows = [f"specsia status {run}"]
    elif summary.dataset is None and not summary.recipes:
        follows = [f"{config.command} --out {run}"]
    else:
        packed = [] if summary.dataset is None else [argument(summary.dataset)]
        pictured = packed if config.keep == NONE and "://" not in str(summary.dataset) else [run]
        follows += [*(f"specsia report {one}" for one in pictured), *(f"specsia verify {one}" for one in packed)]
    return made, [*load, *load_lines(summary.dataset, rows)], follows


def _are(count: int, noun: str, source: str) -> str:
    return f"{plural(count, noun)} of {source} {'is' if count == 1 else 'are'}"
