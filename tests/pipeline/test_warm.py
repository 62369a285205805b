"""Compile what a build needs before its workers start."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, with_settings
from specsia_build.pipeline import warm
from specsia_build.pipeline.executors import Lost
from specsia_build.stages.registry import character_stages

STILLS = with_settings(BuildConfig(), {"source": "sample:1", "backends": ["relief"]}, "a test")
LAYOUTS = {"layouts": ["animerun", "pairs"]}
CLIPS = with_settings(BuildConfig(), {"source": "sample:1", "clips": LAYOUTS}, "a test")


def test_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Any] = []
    lost = True

    def execute(_: object, items: Sequence[Any], __: object) -> Iterator[tuple[int, object]]:
        jobs.extend(items)
        yield 0, Lost("it was killed") if lost else []

    monkeypatch.setattr(warm, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(warm, "local_executor", lambda _: execute)

    def compiled(config: BuildConfig, stages: bool = True) -> bool:
        jobs.clear()
        entries = open_source(config.source, Path("nowhere")).entries
        warm.compile_once(config, character_stages(config) if stages else (), entries)
        return bool(jobs)

    assert compiled(STILLS) and compiled(STILLS)
    lost = False
    assert compiled(STILLS) and not compiled(STILLS)
    assert not compiled(replace(STILLS, seed=7, size=64, workers=2))
    for other in (CLIPS, replace(STILLS, look="lit"), replace(STILLS, backends=("fusion",))):
        assert compiled(other) and not compiled(other)
    assert compiled(STILLS, stages=False) and not compiled(STILLS, stages=False)


@pytest.mark.parametrize("config", [STILLS, CLIPS])
def test_small_run_of_every_stage(config: BuildConfig) -> None:
    stages = character_stages(config)
    assert warm.build_small((warm.small_config(config, stages), [stage.name for stage in stages])) == []
