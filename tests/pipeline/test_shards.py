"""Shares of a source built apart, and merged to the bytes of one build."""

import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specsia_build.config import in_shard
from specsia_build.errors import UsageError
from specsia_build.pipeline.build import build as run_build
from specsia_build.pipeline.build import merge
from specsia_build.pipeline.run import RunPaths
from tests.pipeline.test_build import build, specsia, sums
from tests.shapes import write_broken, write_folder

pytestmark = pytest.mark.usefixtures("no_workers")

PAGE = Path(__file__).parents[2] / "docs/scale.md"


def array_shares(tasks: int) -> list[str]:
    """Shards that the tasks of a SLURM array build by the line of the docs."""
    first, script = re.findall(r"--array=(\d)-.*?--wrap \\\n  '([^']*)'", PAGE.read_text(), re.S)[0]
    shares = []
    for task in range(int(first), int(first) + tasks):
        with patch.dict(os.environ, SLURM_ARRAY_TASK_ID=str(task), SLURM_ARRAY_TASK_COUNT=str(tasks)):
            words = shlex.split(os.path.expandvars(script))
        assert words[:2] == ["specsia", "build"] and words[-1] == f"share-{task}"
        shares.append(words[words.index("--shard") + 1])
    return shares


SHARES = array_shares(3)


@given(st.text(min_size=1), st.integers(1, 50))
def test_every_character_in_one_share(character_id: str, shares: int) -> None:
    assert sum(in_shard(character_id, f"{k}/{shares}") for k in range(1, shares + 1)) == 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "1/0", "-1/3", "1/3/5", "a/b", ""])
def test_invalid_shares(text: str) -> None:
    with pytest.raises(UsageError, match="it is I/N"):
        in_shard("knight", text)


@pytest.fixture(scope="module")
def shares(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A folder of figures, some of them broken, and a run of each of its shares."""
    top = tmp_path_factory.mktemp("shares of one")
    source = write_folder(top / "figures", 9)
    write_broken(source)
    runs = []
    for share in SHARES:
        runs.append(top / share.replace("/", " of "))
        if share == SHARES[0]:
            stage = ("--max-failures", "100%", "--stage", "render")
            document = build(source, runs[-1], "--shard", share, *stage)
            assert 1 <= document["characters"] < 13
        # What was begun as a share goes on as one.
        again = () if share == SHARES[0] else ("--shard", share)
        build(source, runs[-1], "--max-failures", "100%", *again)
    return source, runs


def merged(runs: list[Path], out: Path) -> RunPaths:
    paths = RunPaths(out)
    config = replace(merge(runs, paths), max_failures="100%")
    assert run_build(config, paths, ("pack",), False).stopped is None
    return paths


def test_shares_merge_to_the_same_bytes(shares: tuple[Path, list[Path]], tmp_path: Path) -> None:
    source, runs = shares
    whole = tmp_path / "whole"
    document = build(source, whole, "--max-failures", "100%")
    out = merged([runs[2], runs[0], runs[1]], tmp_path / "joined").root
    assert sums(out) == sums(whole)
    assert (out / "failures.jsonl").read_text() == (whole / "failures.jsonl").read_text()
    assert (out / "config.yaml").read_text() == (whole / "config.yaml").read_text()
    assert specsia("status", out)["text"] == specsia("status", whole)["text"]
    assert document["failed"] == sum(len((run / "failures.jsonl").read_text().splitlines()) for run in runs)


def test_command_merges(shares: tuple[Path, list[Path]], tmp_path: Path) -> None:
    _, runs = shares
    out = tmp_path / "joined by command"
    document = specsia("merge", *runs, "--out", out, "--max-failures", "3", "--json")
    assert (document["failed"], document["rows"], document["dataset"]) == (3, 40, str(out / "dataset"))
    lost = specsia("merge", *runs[:2], "--out", tmp_path / "two", "--max-failures", "3", code=1)["error"]
    assert "neither up to date" in lost
    assert f"specsia build --out {tmp_path / 'two'}" in lost
    page = tmp_path / "page.html"
    specsia("report", runs[0], "--out", page)
    assert "left out by --limit, --exclude or --shard" in page.read_text(encoding="utf-8")


def test_different_runs_are_refused(shares: tuple[Path, list[Path]], tmp_path: Path) -> None:
    source, runs = shares
    other = tmp_path / "other"
    build(source, other, "--shard", "2/3", "--seed", "7", "--stage", "render", "--max-failures", "100%")
    with pytest.raises(UsageError, match=r"differ in .*seed 42 -> 7"):
        merge([runs[0], other], RunPaths(tmp_path / "a"))
    with pytest.raises(UsageError, match="must all be different"):
        merge([runs[0], runs[0]], RunPaths(tmp_path / "a"))
    with pytest.raises(UsageError, match="holds no build"):
        merge([runs[0], tmp_path], RunPaths(tmp_path / "a"))
    assert sorted(path.name for path in runs[0].iterdir()) == sorted(path.name for path in runs[1].iterdir())
