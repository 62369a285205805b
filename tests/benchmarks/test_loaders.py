"""Errors of `benchmarks.loaders` where there is nothing to read or a loader fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.loaders.__main__ import READERS, main


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    (folder / "lisiyao21+AnimeInbet").mkdir(parents=True)
    return folder


def table(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_a_project_that_is_not_there_is_named_with_the_way_to_get_it(upstream: Path, tmp_path: Path) -> None:
    code, said = table(tmp_path, "conr", "--upstream", upstream)
    assert code == 1 and "git clone https://github.com/megvii-research/IJCAI2023-CoNR" in said


def test_every_reader_is_there() -> None:
    folder = Path(__file__).parents[2] / "benchmarks" / "loaders"
    assert all((folder / f"{reader.module}.py").exists() for reader in READERS)
