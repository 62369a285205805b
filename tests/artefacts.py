"""Files of a run and of any folder, and shards made in this process."""

from __future__ import annotations

from pathlib import Path

from specsia_build.pipeline.run import RunLayout
from specsia_build.stages.registry import character_stages


def artefact(run: Path, stage: str, key: str, backend: str | None = None) -> Path:
    """The tar of a stage by its name, of a character or clip."""
    by_name = {entry.name: entry for entry in character_stages()}
    return RunLayout(run).artefact(by_name[stage], backend, key)


def contents(folder: Path) -> dict[str, bytes]:
    """Bytes of each file below a folder, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def shards_here(load: Load) -> MakeShards:
    """Make shards one after the other in this process."""
    return lambda tasks: ((number, make_shard(task, load)) for number, task in enumerate(tasks))
