"""What a build compiles before its workers begin: what they need, once, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, with_settings
from specsia_build.pipeline import warm
from specsia_build.pipeline.executors import Lost
from specsia_build.pipeline.progress import Progress
from specsia_build.pipeline.warm import compile_once
from specsia_build.stages.registry import character_stages


class Said(Progress):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


class Compiler:
    """An executor that only notes the names of the parts it is given, and loses some."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.loses: set[str] = set()

    def __call__(self, _: object, items: Sequence[tuple[str, object]], __: object) -> Iterator[tuple[int, object]]:
        for number, (name, _part) in enumerate(items):
            self.parts.append(name)
            yield number, Lost("it was killed") if name.partition(" ")[0] in self.loses else None


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiler:
    """What compiles, into an empty cache."""
    found = Compiler()
    monkeypatch.setattr(warm, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(warm, "local_executor", lambda _: found)
    return found


def compiled(compiler: Compiler, config: BuildConfig, stages: bool = True) -> tuple[set[str], int]:
    """Parts that are compiled for a configuration, without what tells settings apart, and how many lines are said."""
    compiler.parts.clear()
    said = Said()
    entries = open_source(config.source, Path("nowhere")).entries
    compile_once(config, character_stages(config) if stages else (), entries, said)
    return {name.partition(" ")[0] for name in compiler.parts}, len(said.lines)


def test_only_what_a_run_needs_is_compiled_and_that_once(compiler: Compiler) -> None:
    stills = with_settings(BuildConfig(), {"source": "sample:1", "backends": ["relief"]}, "a test")
    clips = with_settings(BuildConfig(), {"source": "sample:1", "clips": {"fps": 12.0}}, "a test")
    assert compiled(compiler, stills, stages=False) == ({"renderer", "sample"}, 1)
    assert compiled(compiler, stills) == ({"render", "reconstruct", "project"}, 1)
    assert compiled(compiler, stills) == (set(), 0)
    assert compiled(compiler, clips) == ({"motions", "draw"}, 1)
    assert "reconstruct" in compiled(compiler, replace(stills, backends=("relief", "fusion:0.5")))[0]
    assert "renderer" in compiled(compiler, replace(stills, look="lit"))[0]
