"""Cost per character of each stage of a build on one core, from the log of a build by one worker."""

import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from specsia_build import png
from specsia_build.dataset.schema import COLUMNS, IMAGE_COLUMNS

PEER_ROWS = 10


@dataclass(frozen=True)
class Setting:
    """Settings of the build that is measured."""

    size: int
    views: int
    backend: str
    limit: int | None = None


def specsia(*arguments: object) -> dict[str, Any]:
    """Run a command of `specsia` in a process of its own; its JSON document."""
    command = [sys.executable, "-m", "specsia_build", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  ourselves
    if done.returncode:
        raise SystemExit(done.stderr.strip().splitlines()[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def logged(run: Path) -> dict[str, list[dict[str, Any]]]:
    """The tasks of a run's log, by stage."""
    tasks: dict[str, list[dict[str, Any]]] = {}
    for line in (run / "logs" / "tasks.jsonl").read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        tasks.setdefault(task["stage"], []).append(task)
    return tasks


def measure(source: str, setting: Setting, folder: Path) -> dict[str, Any]:
    """Build a source by one worker; returns each stage's median seconds per character, and the peers."""
    run = folder / "run"
    options = ["--size", setting.size, "--views", setting.views, "--backend", setting.backend, "--workers", 1]
    options += [] if setting.limit is None else ["--limit", setting.limit]
    built = specsia("build", source, "--out", run, *options)
    stages = {name: _stage(tasks, built["characters"]) for name, tasks in logged(run).items()}
    stages["render"]["peer"] = _png_peer(run / "dataset")
    per_row = stages["pack"]["seconds_per_character"] / setting.views
    stages["pack"]["peer"] = _datasets_peer(run / "dataset", per_row)
    report = {"source": built["source"], "characters": built["characters"], "size": setting.size}
    report |= {"views": setting.views, "backend": setting.backend, "stages": stages}
    seconds = sum(stage["seconds_per_character"] for stage in stages.values())
    return report | {"seconds_per_character": round(seconds, 4)}


def compare(reports: Mapping[str, dict[str, Any]], path: Path, *, record: bool) -> None:
    """Add to each stage of `measure` the ratio of its seconds to the recorded ones of the same settings.

    `path` is a JSON file of seconds by settings and stage; with `record` it gets the new ones.
    """
    recorded = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for report in reports.values():
        key = "{backend}: {characters} of {source}, {views} views of {size}".format_map(report)
        for name, stage in report["stages"].items():
            before = recorded.get(key, {}).get(name)
            stage["ratio"] = round(stage["seconds_per_character"] / before, 2) if before else None
        if record:
            recorded[key] = {name: s["seconds_per_character"] for name, s in report["stages"].items()}
    if record:
        path.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")


def _stage(tasks: Sequence[dict[str, Any]], characters: int) -> dict[str, Any]:
    """Medians over the characters; of what is done for all at once, its share."""
    seconds = [task["seconds"] for task in tasks]
    alone = all(task["id"] for task in tasks)
    usual = statistics.median(seconds) if alone else sum(seconds) / characters
    peak = round(max(task["peak_mb"] for task in tasks))
    return {"seconds_per_character": round(usual, 4), "slowest": round(max(seconds), 4), "peak_mb": peak}


def _rows(dataset: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    shard = sorted((dataset / "data").rglob("*.parquet"))[0]
    found: list[dict[str, Any]] = pq.read_table(shard, columns=list(COLUMNS)).slice(0, PEER_ROWS).to_pylist()
    return found


def clock(function: Callable[[], object], repeats: int = 15) -> float:
    """Median seconds of a call."""
    durations = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        durations.append(time.perf_counter() - start)
    return statistics.median(durations)


def _png_peer(dataset: Path) -> dict[str, Any]:
    """Pillow's default PNG encoder on the first picture."""
    picture = png.decode(_rows(dataset)[0]["gt"]["bytes"], 4)
    ours = clock(lambda: png.encode(picture))
    theirs = clock(lambda: Image.fromarray(picture).save(io.BytesIO(), "PNG"))
    peer = {"name": "one PNG by Pillow", "milliseconds": round(1000 * theirs, 3)}
    return peer | {"times_faster": round(theirs / ours, 1)}


def _datasets_peer(dataset: Path, seconds_per_row: float) -> dict[str, Any]:
    """The published uploader's way: rows of Pillow images that `datasets` encodes again."""
    import datasets

    rows = _rows(dataset)
    for row in rows:
        for column in IMAGE_COLUMNS:
            row[column] = Image.open(io.BytesIO(row[column]["bytes"]))
            row[column].load()
            row[column].format = None
    kinds = {"uid": datasets.Value("string"), **{name: datasets.Image() for name in IMAGE_COLUMNS}}
    columns = {name: [row[name] for row in rows] for name in kinds}
    datasets.disable_progress_bars()
    start = time.perf_counter()
    datasets.Dataset.from_dict(columns, features=datasets.Features(kinds)).to_parquet(io.BytesIO())
    theirs = (time.perf_counter() - start) / len(rows)
    peer = {"name": "one row by datasets", "seconds_per_row": round(theirs, 5)}
    return peer | {"times_faster": round(theirs / seconds_per_row, 1)}
