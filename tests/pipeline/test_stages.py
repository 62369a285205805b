"""A stage that does not exist yet needs one file and one line in the list of stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from specsia_build.config import BuildConfig, with_settings
from specsia_build.dataset.layers import view_file
from specsia_build.look.run import read_times
from specsia_build.pipeline.build import build
from specsia_build.pipeline.failures import read_failures
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.status import run_status
from specsia_build.pipeline.store import read_artefact
from specsia_build.pipeline.summary import BuildSummary
from specsia_build.stages import registry
from specsia_build.stages.stage import CharacterStage
from tests.pipeline import clip_frames
from tests.shapes import write_figure

pytestmark = pytest.mark.usefixtures("no_workers")

Counts = dict[str, tuple[int, int, int]]


def stage_names() -> tuple[str, ...]:
    return tuple(stage.name for stage in registry.STAGES)


def counts(summary: BuildSummary) -> Counts:
    """Characters made, kept and failed by stage."""
    return {stage.stage: (stage.made, stage.kept, stage.failed) for stage in summary.stages}


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Callable[[CharacterStage], None]:
    """Puts a stage on the list, before pack."""
    known = registry.STAGES

    def put(stage: CharacterStage) -> None:
        monkeypatch.setattr(registry, "STAGES", (*known[:-1], stage, known[-1]))

    return put


def config_of(folder: Path, *names: str) -> BuildConfig:
    for name in names:
        write_figure(folder / f"{name}.obj")
    return with_settings(BuildConfig(), {"source": str(folder), "size": 64, "views": 2, "workers": 2}, "a test")


def test_a_new_stage_is_planned_made_kept_and_made_again(
    enter: Callable[[CharacterStage], None], tmp_path: Path
) -> None:
    config, layout = config_of(tmp_path / "source", "a", "b"), RunLayout(tmp_path / "run")

    def run(*stages: str, fresh: bool = False) -> Counts:
        return counts(build(config, layout, stages or stage_names(), fresh, Progress()))

    enter(clip_frames.STAGE)
    (planned,) = [stage for stage in run_status(config, layout).stages if stage.stage == "frames"]
    assert (planned.backend, planned.done, planned.missing) == (None, 0, 2)
    assert run() == dict.fromkeys(stage_names(), (2, 0, 0))
    made = read_artefact(layout.artefact(clip_frames.STAGE, None, "a"), "a")
    assert set(made.files) == {view_file(clip_frames.FRAME, number) for number in range(clip_frames.FRAMES)}
    times = [time for time in read_times(layout.log, {"a", "b"}) if time.stage == "frames"]
    assert [time.id for time in times] == ["a", "b"]
    assert run() == dict.fromkeys(stage_names(), (0, 2, 0))

    with (tmp_path / "source" / "b.obj").open("a") as stream:
        stream.write("# another\n")
    assert run("frames") == {"frames": (1, 1, 0)}
    enter(replace(clip_frames.STAGE, version=2))
    assert [stage.stale for stage in run_status(config, layout).stages if stage.stage == "frames"] == [2]
    assert run("frames") == {"frames": (2, 0, 0)}
    assert run("frames", fresh=True) == {"frames": (2, 0, 0)}
    assert [path.name for path in (layout.root / "artefacts").iterdir()] == ["frames"]


def test_what_a_stage_fails_on_is_lost_to_those_that_rest_on_it_alone(
    enter: Callable[[CharacterStage], None], tmp_path: Path
) -> None:
    config, layout = config_of(tmp_path / "source", "a", clip_frames.SHY), RunLayout(tmp_path / "run")
    enter(clip_frames.STAGE)
    summary = build(config, layout, stage_names(), False, Progress())
    assert counts(summary)["frames"] == (1, 0, 1)
    assert [(f.stage, f.backend, f.id) for f in read_failures(layout.failures)] == [("frames", None, clip_frames.SHY)]
    assert (summary.rows, summary.failed) == ({"relief": 4}, 1)
