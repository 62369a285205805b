"""Packing by workers, and by damaged artefacts."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from specsia_build.config import PAIRS
from specsia_build.dataset import parquet, splits
from specsia_build.errors import DamagedError
from specsia_build.layouts.packing import Packed, PackTarget, pack
from specsia_build.layouts.registry import load_layout
from specsia_build.pipeline import sets
from specsia_build.pipeline.executors import Needs
from specsia_build.pipeline.run import RunPaths, open_run
from specsia_build.pipeline.store import write_artefact
from specsia_build.pool import never
from specsia_build.stages import project, render
from tests.artefacts import pack_pairs
from tests.checksums import file_sums
from tests.stages.test_pack import CONFIG, Store, facts_of, sums

IDS = [str(number) for number in range(12)]


class Workers:
    """An executor whose workers are as far away as pickles make them, and end in reversed order."""

    def __init__(self) -> None:
        self.needs: list[Needs] = []

    def __call__(
        self,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        needs: Needs,
        enough: Callable[[], bool] = never,
    ) -> Iterator[tuple[int, Any]]:
        assert not enough()
        self.needs.append(needs)
        for number in reversed(range(len(items))):
            work, item = pickle.loads(pickle.dumps((function, items[number])))
            yield number, pickle.loads(pickle.dumps(work(item)))


@pytest.fixture
def workers() -> Workers:
    return Workers()


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunPaths:
    """A run of characters that nobody rendered, whose dataset has several shards."""
    store, paths = Store(), RunPaths(tmp_path / "run")
    for character_id in IDS:
        for stage in (render.RENDER, project.PROJECT):
            write_artefact(paths.artefact(stage, "relief", character_id), store.make(stage, character_id))
    size = 4 * Store().member("0").image_bytes
    for module in (parquet, sets):
        monkeypatch.setattr(module, "SHARD_BYTES", size)
    return paths


FACTS = facts_of(Store(), splits.assign(IDS, {}))


def packed(paths: RunPaths, execute: Any) -> tuple[Packed, list[int]]:
    advanced: list[int] = []
    pairs = load_layout(PAIRS)
    target = PackTarget(pairs, paths.dataset, paths.packed_state("dataset"))
    with open_run(CONFIG, paths) as opened:
        planned = sets.PlannedSet(pairs, ("relief",), target, FACTS.members, {})
        parts = sets.parts_of(opened, planned, FACTS.splits)
        return pack(target, parts, sets.part_writer(opened, execute, advanced.append), FACTS), advanced


def test_dataset_does_not_depend_on_workers(paths: RunPaths, workers: Workers) -> None:
    done, advanced = packed(paths, workers)
    assert sum(advanced) == done.written >= 4
    assert len(workers.needs) == 1
    pack_pairs(FACTS, Store().load, paths.root / "alone")
    assert sums(paths.dataset) == sums(paths.root / "alone")
    (paths.dataset / "build.json").touch()
    assert packed(paths, workers)[0].kept == done.written
    assert sums(paths.dataset) == sums(paths.root / "alone")


def test_damaged_artefact_keeps_old_dataset(paths: RunPaths, workers: Workers) -> None:
    packed(paths, workers)
    before = sums(paths.dataset)
    paths.packed_state("dataset").unlink()
    path = paths.artefact(project.PROJECT, "relief", "3")
    whole = path.read_bytes()
    path.write_bytes(whole[:3000])
    with pytest.raises(DamagedError):
        packed(paths, workers)
    assert sums(paths.dataset) == file_sums(paths.dataset) == before
    path.write_bytes(whole)
    assert packed(paths, workers)[0].kept
    assert sums(paths.dataset) == file_sums(paths.dataset) == before
    assert [path.name for path in paths.root.iterdir() if path.name.startswith(".")] == []
