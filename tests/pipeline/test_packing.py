"""Packing by workers, and by damaged artefacts."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from specsia_build.config import BuildConfig
from specsia_build.dataset import parquet, splits
from specsia_build.pipeline.executors import Needs
from specsia_build.pipeline.pack import shard_maker
from specsia_build.pipeline.run import RunLayout, open_run
from specsia_build.pipeline.store import write_artefact
from specsia_build.pool import never
from specsia_build.stages import pack, project, render
from tests.artefacts import shards_here
from tests.stages.test_pack import Store, plan_of, sums

IDS = [str(number) for number in range(12)]


class Workers:
    """An executor whose workers are as far away as pickles make them, and end in another order than they
    begin."""

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
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunLayout:
    """A run of characters that nobody rendered, whose dataset has several shards."""
    store, layout = Store(), RunLayout(tmp_path / "run")
    for character_id in IDS:
        for stage in (render.STAGE, project.STAGE):
            write_artefact(layout.artefact(stage, "relief", character_id), store.make(stage, character_id))
    monkeypatch.setattr(parquet, "SHARD_BYTES", 4 * planned().members["relief"][0].image_bytes)
    return layout


def planned() -> pack.PackPlan:
    return plan_of(Store(), splits.assign(IDS, {}))


def packed(layout: RunLayout, run: Any, config: BuildConfig | None = None) -> tuple[pack.Packed, list[int]]:
    told: list[int] = []
    with open_run(config or planned().config, layout) as opened:
        make = shard_maker(opened, run, told.append)
        return pack.pack(planned(), make, layout.dataset), told


def test_dataset_does_not_depend_on_workers(layout: RunLayout, workers: Workers) -> None:
    done, told = packed(layout, workers)
    assert done.written >= 4
    assert sum(told) == len(IDS)
    alone = layout.root / "alone"
    pack.pack(planned(), shards_here(Store().load), alone)
    assert sums(layout.dataset) == sums(alone)
    # What is kept tells its images too.
    (layout.dataset / "build.json").touch()
    assert packed(layout, workers)[0].kept == done.written
    assert sums(layout.dataset) == sums(alone)


def test_damaged_artefact_keeps_old_dataset(layout: RunLayout, workers: Workers) -> None:
    packed(layout, workers)
    before = sums(layout.dataset)
    (layout.dataset / "build.json").unlink()
    path = layout.artefact(project.STAGE, "relief", "3")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DamagedError):
        packed(layout, workers)
    assert sums(layout.dataset) == before
    assert [path.name for path in layout.root.iterdir() if path.name.startswith(".")] == []
