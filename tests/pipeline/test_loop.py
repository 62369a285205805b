"""The build loop with stages that cost nothing: failures, lost workers, damage and kills."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specsia_build.cli.runs import STAGE_NAMES
from specsia_build.config import BuildConfig
from specsia_build.errors import CharacterError, SpecsiaError
from specsia_build.pipeline import build as building
from specsia_build.pipeline.executors import Lost
from specsia_build.pipeline.failures import BuildSummary
from specsia_build.pipeline.run import RunPaths
from specsia_build.pool import never
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.stage import Artefact, CharacterStage
from tests.artefacts import artefact
from tests.shapes import write_figure
from tests.stages.test_pack import VIEWS, Store, sums

Faults = dict[tuple[str, str], str]
"""What happens to a stage and key: `fails`, or `lost` with its worker."""


class _LostError(BaseException):
    """Ends a worker."""


def _make(stage: CharacterStage, faults: Faults) -> Callable[..., tuple[Artefact, tuple[Path, ...]]]:
    def make(job: Any, *_: object) -> tuple[Artefact, tuple[Path, ...]]:
        key, name = job.entry.id, "" if job.backend is None else job.backend.name
        fault = faults.get((stage.name, key)) or faults.get((f"{stage.name} {name}", key))
        if fault == "fails":
            raise CharacterError(f"{key} cannot be made")
        if fault == "lost":
            raise _LostError
        if stage is reconstruct.RECONSTRUCT:
            mesh = {"mesh.json": f"{key} {name}".encode()}
            return Artefact(key, mesh, {"backend": name, "needs_yaw": False}), ()
        noise = Store().make(stage, f"{key}{name}")
        sealed = ("stage", "fingerprint", "inputs", "files", "digest")
        kept = {n: v for n, v in noise.meta.items() if n not in sealed}
        files = {**noise.files, render.FRONT: b"front"} if stage is render.RENDER else noise.files
        return Artefact(key, files, {**kept, "size": 32, "warnings": []}), (job.entry.path,)

    return make


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    planted: Faults = {}
    for stage in (render.RENDER, reconstruct.RECONSTRUCT, project.PROJECT):
        monkeypatch.setitem(stage.__dict__, "make", _make(stage, planted))
    monkeypatch.setattr(building, "compile_once", lambda *_: None)

    def execute(
        function: Any, items: Sequence[Any], _: object, enough: Callable[[], bool] = never
    ) -> Iterator[tuple[int, Any]]:
        for number, item in enumerate(items):
            if enough():
                return
            try:
                yield number, function(item)
            except _LostError:
                yield number, Lost("its worker process was killed")

    @contextmanager
    def at_once(*_: Any) -> Iterator[Any]:
        yield execute

    monkeypatch.setattr(building, "open_executor", at_once)
    return planted


@pytest.fixture
def config(tmp_path: Path) -> BuildConfig:
    for number in range(6):
        write_figure(tmp_path / "figures" / f"{number}.obj", 1.0 + number / 10)
    return BuildConfig(source=str(tmp_path / "figures"), views=VIEWS, size=32, max_failures="100%")


def run(config: BuildConfig, out: Path) -> BuildSummary:
    return building.build(config, RunPaths(out), STAGE_NAMES, False)


def counts(summary: BuildSummary) -> dict[str, tuple[int, int, int]]:
    names = {(s.stage, s.backend): (s.built, s.kept, s.failed) for s in summary.stages}
    return {" ".join(filter(None, name)): count for name, count in names.items()}


@pytest.mark.parametrize("fault", ["fails", "lost"])
def test_fault_costs_its_character(faults: Faults, config: BuildConfig, tmp_path: Path, fault: str) -> None:
    faults |= {("reconstruct", "1"): fault, ("render", "4"): fault}
    summary = run(config, tmp_path / "run")
    assert counts(summary) == {
        # What a lost worker had made before is there.
        "render": (5, 0, 1) if fault == "fails" else (4, 1, 1),
        "reconstruct relief": (4, 0, 1),
        "project relief": (4, 0, 0),
        "pack": (4, 0, 0),
    }
    assert [(f.stage, f.id) for f in summary.failures] == [("render", "4"), ("reconstruct", "1")]
    faults.clear()
    assert counts(run(config, tmp_path / "run"))["project relief"] == (2, 4, 0)
    run(config, tmp_path / "whole")
    assert sums(tmp_path / "run" / "dataset") == sums(tmp_path / "whole" / "dataset")


def test_lost_worker_costs_one_backend(faults: Faults, config: BuildConfig, tmp_path: Path) -> None:
    faults |= {("reconstruct relief", "2"): "fails", ("reconstruct fusion", "2"): "lost"}
    faults |= {("project fusion", "3"): "lost"}
    summary = run(replace(config, backends=("relief", "fusion")), tmp_path / "run")
    failures = {(failure.stage, failure.backend, failure.id) for failure in summary.failures}
    assert {failure.id for failure in summary.failures if "was lost" not in failure.reason} == {"2"}
    twice = {("reconstruct", "relief", "2"), ("reconstruct", "fusion", "2")}
    assert failures == {*twice, ("project", "fusion", "3")}
    assert summary.rows == {"relief": 5 * VIEWS, "fusion": 4 * VIEWS}


def test_flipped_byte_is_remade(faults: Faults, config: BuildConfig, tmp_path: Path) -> None:
    out = tmp_path / "run"
    run(config, out)
    before = sums(out / "dataset")
    for stage, backend in (("render", None), ("project", "relief")):
        path = artefact(out, stage, "5", backend)
        data = bytearray(path.read_bytes())
        data[-1600 if len(data) > 4000 else -1] ^= 1
        data[len(data) * 2 // 3] ^= 1
        path.write_bytes(data)
    shutil.rmtree(out / "dataset")
    run(config, out)
    assert sums(out / "dataset") == before


def test_build_ends_above_max_failures(faults: Faults, config: BuildConfig, tmp_path: Path) -> None:
    faults |= {("render", str(number)): "fails" for number in range(5)}
    early = run(replace(config, max_failures="1"), tmp_path / "run")
    assert (early.failed, early.rows) == (2, None)
    assert early.stopped is not None and "2 of 6 characters failed" in early.stopped
    assert run(config, tmp_path / "run").rows == {"relief": VIEWS}
    faults[("render", "5")] = "fails"
    none = run(config, tmp_path / "none")
    assert none.stopped is not None and "all characters failed" in none.stopped


def test_keep_none_removes_artefacts(faults: Faults, config: BuildConfig, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(replace(config, keep="none"), out).freed > 0
    before = sums(out / "dataset")
    assert not list((out / "artefacts").rglob("*.tar"))
    assert counts(run(config, out))["render"] == (6, 0, 0)
    assert sums(out / "dataset") == before
    shard = next((out / "dataset").rglob("train-*.parquet"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(SpecsiaError):
        run(replace(config, keep="none"), out)
