"""What a build does after a worker was lost: the rest of its character, as far as that can be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from specsia_build.pipeline.attempt import Attempt
from specsia_build.pipeline.chain import Step, Unit, segments
from specsia_build.pipeline.planning import stages_of
from specsia_build.pipeline.tasks import Outcome

from specsia_build.config import BuildConfig
from specsia_build.pipeline.executors import Lost
from specsia_build.pipeline.index import open_index
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.record import Record
from specsia_build.pipeline.selection import source_of
from specsia_build.stages.registry import character_stages
from tests.shapes import write_folder

MADE, FAILED, BLOCKED = Outcome(), Outcome(reason="no mesh"), Outcome(blocked=True)


@pytest.mark.parametrize(
    ("given", "lost", "left"),
    [
        ((), "render", ()),
        ((MADE,), "reconstruct", ("reconstruct fusion", "project fusion")),
        ((MADE, MADE), "reconstruct", ("project inflate",)),
        ((MADE, FAILED), "reconstruct", ()),
        ((MADE, MADE, MADE), "project", ("project fusion",)),
        ((MADE, FAILED, MADE, BLOCKED), "project", ()),
    ],
)
def test_what_rests_on_a_lost_step_is_handed_out_to_nobody(
    given: Sequence[Outcome], lost: str, left: Sequence[str], tmp_path: Path
) -> None:
    config = BuildConfig(str(write_folder(tmp_path / "figures", 1)), backends=("inflate", "fusion"))
    layout = RunLayout(tmp_path / "run")
    layout.index.parent.mkdir(parents=True)
    (entry,) = source_of(config, layout).entries
    (segment,) = segments(stages_of(config, character_stages(config)), config)
    unit = Unit(entry, None, segment.steps, config, layout)
    with open_index(layout, writes=True) as index:
        record = Record(layout, index, Progress())
        attempt = Attempt(segment, record, {})
        with attempt.bars(Progress(), 1):
            rest = attempt.take(unit, Lost("it was killed", tuple(given)))
    assert tuple(map(said, rest.steps if rest else ())) == left
    assert [(f.stage, f.reason) for f in record.failures][-1] == (lost, f"{lost} of 0 was lost: it was killed")
    # Every step is accounted for: done, failed, without anything to start from, or left.
    accounted = [
        bool(attempt.tallies[step].made or attempt.tallies[step].failed or attempt.blocked[step])
        for step in segment.steps
    ]
    assert [step in (rest.steps if rest else ()) for step in segment.steps] == [not one for one in accounted]


def said(step: Step) -> str:
    return f"{step[0].name} {step[1]}"
