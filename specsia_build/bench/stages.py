"""What each stage costs per character on one core, next to a peer that is measured in the same run.

Machines differ and are noisy, so the ratio to the peer is what compares between them, not the seconds.
"""

from __future__ import annotations

import io
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import schema
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.schema import COLUMNS, IMAGE_COLUMNS
from specsia_build.errors import SpecsiaError
from specsia_build.memory import keep_freed
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.packing import Inputs, pack_plan
from specsia_build.pipeline.planning import plan_stage
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.store import discard, read_artefact
from specsia_build.pipeline.tasks import perform
from specsia_build.stages import pack, render
from specsia_build.stages.registry import STAGES, character_stages
from specsia_build.stages.shards import made_here
from specsia_build.stages.stage import CharacterStage

PEER_ROWS = 10


def bench(stages: Sequence[str], config: BuildConfig, folder: Path, progress: Progress) -> dict[str, Any]:
    """Measure stages on every character of a source, in this process, after one character has warmed them up.

    Args:
        stages: to report; the ones before them are run too.
        config: of the build that is measured.
        folder: scratch space.
        progress: where bars go.

    Returns:
        A JSON-serialisable report: per stage the median seconds per character, the share of each part of the work,
        and the peer with its ratio.

    Raises:
        SpecsiaError: if a character cannot be built.
    """
    keep_freed()
    layout = RunLayout(folder)
    source = open_source(config.source, layout.source)
    entries = list(source.entries[: config.limit])
    for entry in entries:
        provide(entry)
    report: dict[str, Any] = {"source": source.name, "characters": len(entries), "size": config.size}
    report |= {"views": config.views, "backend": list(config.backends), "stages": {}}
    asked = [stage for stage in STAGES if stage.name in stages]
    needed = {*asked, *(earlier for stage in asked for earlier in stage.rests_on)}
    for stage in character_stages():
        if stage in needed:
            spec = config.backends[0] if stage.per_backend else None
            found = _measure(stage, spec, entries, config, layout, progress)
            if stage in asked:
                report["stages"][stage.name] = found
    if render.STAGE in asked:
        report["stages"][render.STAGE.name]["peer"] = _png_peer(layout, entries[0])
    if pack.STAGE in asked:
        report["stages"][pack.STAGE.name] = _measure_pack(source.name, entries, config, layout, folder, progress)
    report["seconds_per_character"] = round(sum(s["seconds_per_character"] for s in report["stages"].values()), 4)
    return report


def _measure(
    stage: CharacterStage,
    backend: str | None,
    entries: Sequence[Entry],
    config: BuildConfig,
    layout: RunLayout,
    progress: Progress,
) -> dict[str, Any]:
    def run(entry: Entry) -> tuple[float, dict[str, float]]:
        with open_index(layout, writes=False) as index:
            task = plan_stage(stage, backend, [entry], config, layout, index).tasks[0]
        outcome = perform(task)
        if outcome.reason is not None:
            raise SpecsiaError(outcome.reason)
        return outcome.seconds, dict(outcome.parts)

    run(entries[0])
    discard(layout.artefact(stage, None if backend is None else backend_name(backend), entries[0].id))
    seconds, parts = [], []
    with progress.bar(f"bench {stage.name}", len(entries)) as advance:
        for entry in entries:
            taken, of_it = run(entry)
            seconds.append(taken)
            parts.append(of_it)
            advance(1)
    names = sorted({name for of_it in parts for name in of_it})
    medians = {name: statistics.median(of_it.get(name, 0.0) for of_it in parts) for name in names}
    out: dict[str, Any] = {
        "seconds_per_character": round(statistics.median(seconds), 4),
        "slowest": round(max(seconds), 4),
        "seconds_by_part": {name: round(value, 4) for name, value in medians.items()},
        "share_by_part": {name: round(value / statistics.median(seconds), 3) for name, value in medians.items()},
    }
    if "rasterise" in medians:
        out["ms_per_view"] = round(1000 * medians["rasterise"] / config.views, 2)
    return out


def _clock(function: Callable[[], object], repeats: int = 5) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _png_peer(layout: RunLayout, entry: Entry) -> dict[str, Any]:
    """Pillow's default PNG encoder on the first picture."""
    picture: NDArray[np.uint8] = png.decode(
        read_artefact(layout.artefact(render.STAGE, None, entry.id), entry.id).files[view_file(schema.GT, 0)], 4
    )

    def by_pillow() -> None:
        Image.fromarray(picture).save(io.BytesIO(), "PNG")

    ours, theirs = _clock(lambda: png.encode(picture), 15), _clock(by_pillow, 15)
    return {
        "name": "Pillow's defaults",
        "of": "one PNG",
        "milliseconds": round(theirs * 1000, 3),
        "ours_milliseconds": round(ours * 1000, 3),
        "times_faster": round(theirs / ours, 1),
    }


def _measure_pack(
    source: str, entries: Sequence[Entry], config: BuildConfig, layout: RunLayout, folder: Path, progress: Progress
) -> dict[str, Any]:
    with open_index(layout, writes=False) as index:
        plan = pack_plan(config, layout, source, entries, index)

        def run() -> None:
            shutil.rmtree(folder / "dataset", ignore_errors=True)
            pack.pack(plan, made_here(Inputs(layout, plan.reads).load), folder / "dataset")

        run()
        start = time.perf_counter()
        with progress.bar("bench pack", 1) as advance:
            run()
            advance(1)
        each = (time.perf_counter() - start) / len(entries)
    peer = _datasets_peer(folder / "dataset")
    peer["times_faster"] = round(peer["seconds_per_row"] / (each / config.views), 1)
    return {"seconds_per_character": round(each, 4), "peer": peer}


def _datasets_peer(folder: Path) -> dict[str, Any]:
    """The published uploader's way: rows of Pillow images that `datasets` encodes again."""
    import datasets
    import pyarrow.parquet as pq

    shard = sorted((folder / "data").rglob("*.parquet"))[0]
    rows = pq.read_table(shard, columns=list(COLUMNS)).slice(0, PEER_ROWS).to_pylist()
    for row in rows:
        for column in IMAGE_COLUMNS:
            row[column] = Image.open(io.BytesIO(row[column]["bytes"]))
            row[column].load()
            row[column].format = None
    features = datasets.Features(
        {
            name: datasets.Image() if name in IMAGE_COLUMNS else datasets.Value("string")
            for name in ("uid", *IMAGE_COLUMNS)
        }
    )
    columns = {name: [row[name] for row in rows] for name in features}
    datasets.disable_progress_bars()
    start = time.perf_counter()
    datasets.Dataset.from_dict(columns, features=features).to_parquet(io.BytesIO())
    return {
        "name": "Pillow images through datasets",
        "of": "one row",
        "seconds_per_row": round((time.perf_counter() - start) / len(rows), 5),
    }
