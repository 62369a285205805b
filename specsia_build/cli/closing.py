"""The end of a command: results on standard output, the closing panel on standard error."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from specsia_build.cli.command import seconds_so_far
from specsia_build.cli.output import is_document, tell
from specsia_build.config import FRAMES, NONE, BuildConfig, backend_name
from specsia_build.errors import argument, plural
from specsia_build.terminal.board import clock_time
from specsia_build.terminal.layout import Fold, Table, folded, most
from specsia_build.terminal.screen import close

if TYPE_CHECKING:
    from specsia_build.pipeline.failures import Failure
    from specsia_build.pipeline.layout import RunLayout
    from specsia_build.pipeline.progress import StageSummary
    from specsia_build.pipeline.summary import BuildSummary


def conclude(
    document: Any,
    lines: Sequence[str | Table],
    title: str,
    made: Mapping[str, Sequence[str]],
    *,
    doubtful: Mapping[str, Sequence[str]] | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    follows: Sequence[str] = (),
    trouble: str | None = None,
    ok: bool = True,
) -> None:
    """Print the closing panel and the result of a command.

    Args:
        document: the result, where it is asked for as one.
        lines: it in words.
        title: what was done, in a few words.
        made: lines on what was made or looked at, by their label; here and below labels without lines are left out.
        doubtful: what was left out, failed or is to be doubted.
        where: places of what was made, and how it is loaded.
        follows: commands that come next, to be copied.
        trouble: why it is not what was asked for, said last.
        ok: whether it is.

    Raises:
        click.exceptions.Exit: where it is not.
    """
    if not is_document():
        facts = {**made, **(doubtful or {}), "time": [clock_time(seconds_so_far())], **(where or {}), "next": follows}
        close(title, {label: told for label, told in facts.items() if told}, bad=trouble is not None or not ok)
    tell(document, lines, ok=ok, trouble=trouble)


def document_of(summary: BuildSummary) -> dict[str, Any]:
    """What a build did, as one JSON document."""
    return {
        "source": summary.source,
        "characters": summary.characters,
        "stages": [asdict(stage) for stage in summary.stages],
        "failures": [asdict(failure) for failure in summary.failures],
        "warnings": {i: list(found) for i, found in sorted(summary.warnings.items())},
        "doubles": list(summary.doubles),
        "empty_splits": list(summary.empty_splits),
        "lacking": list(summary.lacking),
        "allowed_failures": summary.allowed_failures,
        "failed": summary.failed,
        "low_quality": summary.low_quality,
        "rows": None if summary.rows is None else sum(summary.rows.values()),
        "configurations": dict(summary.rows or {}),
        "dataset": None if summary.dataset is None else str(summary.dataset),
        "stopped": summary.stopped,
        "freed": summary.freed,
        **({} if summary.clips is None else {"clips": summary.clips, "recipes": summary.recipes}),
    }


def packed_lines(summary: BuildSummary) -> list[str]:
    """Where the rows of each configuration are."""
    rows = summary.rows or {}
    return [
        f"{plural(count, 'row')} of {summary.source}{f' by {name}' if len(rows) > 1 else ''} "
        f"{'is' if count == 1 else 'are'} in {summary.dataset}"
        for name, count in rows.items()
    ]


def warned(warnings: Mapping[str, Sequence[str]]) -> list[Fold]:
    """Sentences about characters by id, those together that say the same."""
    return folded((name, sentence) for name, found in sorted(warnings.items()) for sentence in found)


def failure_lines(failures: Iterable[Failure]) -> list[str]:
    """What was set aside and why, those of the same stages with one reason on one line; see `said_of`."""
    return [f"{kind}: {line}" for kind, lines in said_of(failures).items() for line in lines]


def said_of(failures: Iterable[Failure]) -> dict[str, list[str]]:
    """Sentences about what ``failed`` and what was ``quarantined`` for its looks, one where stages say the same."""
    places: dict[tuple[bool, bool, str, str], list[str]] = {}
    for failure in failures:
        same = (failure.low_quality, failure.clip is not None, failure.key, failure.reason)
        places.setdefault(same, []).append(f"{failure.stage} {failure.backend or ''}".rstrip())
    groups: dict[tuple[bool, bool, str], list[tuple[str, str]]] = {}
    for (low_quality, of_clips, key, reason), found_at in places.items():
        groups.setdefault((low_quality, of_clips, " and ".join(found_at)), []).append((key, reason))
    said: dict[str, list[str]] = {"failed": [], "quarantined": []}
    for (low_quality, of_clips, where), found in groups.items():
        what = "clips" if of_clips else "characters"
        said["quarantined" if low_quality else "failed"] += [fold.line(what, f" at {where}") for fold in folded(found)]
    return said


def _loading(dataset: Path | str, name: str, several: bool) -> str:
    """Python that loads one configuration; `datasets` takes no URL for a folder, but takes its files."""
    from specsia_build.dataset.schema import data_folder

    if isinstance(dataset, Path):
        return f"load_dataset({', '.join(map(_quoted, [str(dataset), name][: 1 + several]))})"
    files = _quoted(f"{dataset}/{data_folder(name, several)}/train-*.parquet")
    return f'load_dataset("parquet", data_files={{"train": {files}}})'


def _quoted(text: str) -> str:
    """A text as Python writes it, in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def load_lines(dataset: Path | str | None, configs: Collection[str]) -> list[str]:
    """Python that loads each configuration of a dataset; none where there is nothing to load."""
    if dataset is None or not configs:
        return []
    loading = [f"pairs = {_loading(dataset, name, len(configs) > 1)}" for name in configs]
    return ["from datasets import load_dataset", *loading]


def _counts(stages: Sequence[StageSummary], which: str) -> list[str]:
    counts = {f"{stage.stage} {stage.backend or ''}".rstrip(): getattr(stage, which) for stage in stages}
    line = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return [line] if line else []


def _next(summary: BuildSummary, config: BuildConfig, layout: RunLayout, first: Sequence[str]) -> list[str]:
    run = argument(layout.out)
    if summary.stopped is not None:
        return [f"specsia status {run}"]
    if summary.dataset is None and not summary.recipes:
        return [f"{config.command} --out {run}"]
    packed = [] if summary.dataset is None else [argument(summary.dataset)]
    pictured = packed if config.keep == NONE and "://" not in str(summary.dataset) else [run]
    return [*first, *(f"specsia report {one}" for one in pictured), *(f"specsia verify {one}" for one in packed)]


def _written(summary: BuildSummary, layout: RunLayout, config: BuildConfig) -> tuple[list[str], list[str], list[str]]:
    """Where the parts of each recipe are, how they are loaded, and what to do with them."""
    from specsia_build.dataset.schema import CARD
    from specsia_build.pipeline.recipes import recipe_folder
    from specsia_build.recipes.registry import load_recipe

    made, load, first = [], [], []
    for name, count in (summary.recipes or {}).items():
        where = recipe_folder(layout, name, None)
        moves = name == FRAMES and config.clips is not None and config.clips.pairs
        backends = [backend_name(spec) for spec in config.backends] if moves else []
        moved = "".join(f" and, by {backend}, in {recipe_folder(layout, name, backend)}" for backend in backends)
        is_in = "is in" if count == 1 else "are in"
        made.append(f"{plural(count, load_recipe(name).by)} of {summary.source} {is_in} {where}{moved}")
        if name == FRAMES:
            damaged = recipe_folder(layout, name, backends[0]) if backends else where
            first.append(f"specsia enhance pretrained {argument(damaged)}/CLIP --out repaired")
        else:
            load.append(f"{where / CARD} says how")
        first.append(f"specsia verify {argument(where)}")
    return made, load, first


def end(summary: BuildSummary, config: BuildConfig, layout: RunLayout) -> None:
    """Say what a build with these settings did in a run, and end with an exit code if it could not do it."""
    made, load, first = _written(summary, layout, config)
    results = [*made, *packed_lines(summary)]
    if summary.stopped is None and not results:
        results = [f"done: {', '.join(dict.fromkeys(stage.stage for stage in summary.stages))} in {layout.root}"]
    trouble = _trouble(summary, layout)
    set_aside, run = said_of(summary.failures), argument(layout.out)
    conclude(
        document_of(summary),
        results,
        _title(summary),
        {
            "built": _counts(summary.stages, "made") or ["nothing" if trouble else "nothing: all is up to date"],
            "up to date": _counts(summary.stages, "kept"),
            "freed": [_freed(summary, config, layout)] if summary.freed else [],
        },
        doubtful={
            **{kind: most(told, f"specsia status {run}") for kind, told in set_aside.items()},
            "warnings": most([fold.line() for fold in warned(summary.warnings)], f"specsia report {run}"),
            "splits": [*summary.doubles, *summary.empty_splits],
        },
        where={**_places(summary, layout), "load": [*load, *load_lines(summary.dataset, summary.rows or ())]},
        follows=_next(summary, config, layout, first),
        trouble=trouble,
    )


def _freed(summary: BuildSummary, config: BuildConfig, layout: RunLayout) -> str:
    """What was removed."""
    return f"{summary.freed:,} bytes of {layout.root}, by --keep {config.keep}"


def _trouble(summary: BuildSummary, layout: RunLayout) -> str | None:
    """Why a build is not what was asked for."""
    if summary.stopped is not None:
        return f"{'stopped before pack' if summary.clips is None else 'not all is there'}: {summary.stopped}"
    if summary.failed > summary.allowed_failures:
        allowed = summary.allowed_failures
        every = plural(summary.characters, "character") if summary.clips is None else plural(summary.clips, "clip")
        return f"{summary.failed} of {every} failed, {allowed} may: see {layout.failures}"
    return None


def _title(summary: BuildSummary) -> str:
    """What a build was of, and how many are lacking."""
    counts = [f"{summary.failed:,} failed"] * bool(summary.failed)
    counts += [f"{summary.low_quality:,} quarantined for their looks"] * bool(summary.low_quality)
    return ", ".join([f"{plural(summary.characters, 'character')} of {summary.source}", *counts])


def _places(summary: BuildSummary, layout: RunLayout) -> dict[str, list[str]]:
    """Where things are."""
    shows = f"{layout.root / 'quarantine'} shows why"
    if any(failure.may_be_kept for failure in summary.failures):
        shows += "; --min-iou lowers what is asked, --low-iou keep packs them"
    return {
        "dataset": [] if summary.dataset is None else [str(summary.dataset)],
        "failures": [str(layout.failures)] if summary.failures else [],
        "pictures": [shows] if summary.low_quality else [],
        "logs": [str(layout.log.parent)],
    }
