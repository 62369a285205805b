"""A recipe's folder whose writer was killed, or that somebody changed, and the same command again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from specsia_build.config import BuildConfig
from specsia_build.dataset.checksums import file_sums
from specsia_build.recipes.verify import verify
from tests.clips import clips_config, run_clips

KILLED = 9


@pytest.fixture
def run(frames_run: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    shutil.copytree(frames_run, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def config(frames_run: Path) -> BuildConfig:
    return clips_config(frames_run.parent / "figures", recipes=["frames"], views=1, turntable=False)


def _run_until(out: Path, config: BuildConfig, renames: int) -> int:
    """Exit code of a process that dies without a word when it has put so many files in their place."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    usual, left = Path.replace, [renames]

    def replace(path: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            os._exit(KILLED)
        return usual(path, target)

    setattr(Path, "replace", replace)  # noqa: B010  it is a method
    try:
        run_clips(out, config)
    finally:
        os._exit(0)


@pytest.mark.parametrize("renames", [12, 30, 75])
def test_a_killed_run_goes_on_to_the_same_bytes(run: Path, config: BuildConfig, frames_run: Path, renames: int) -> None:
    shutil.rmtree(run / "frames")
    assert _run_until(run, config, renames) == KILLED
    assert not (run / "frames" / "SHA256SUMS").exists()
    run_clips(run, config)
    assert file_sums(run / "frames") == file_sums(frames_run / "frames")
    assert verify(str(run / "frames")).ok


def test_a_file_changed_by_hand_is_noticed_and_written_again_when_it_is_removed(
    run: Path, config: BuildConfig, frames_run: Path
) -> None:
    path = run / "frames" / "a-sway-00" / "color" / "0001.png"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"?")
    assert [problem.where for problem in verify(str(run / "frames")).problems if problem.check == "sums"] == [
        "a-sway-00/color/0001.png"
    ]
    path.unlink()
    run_clips(run, config)
    assert file_sums(run / "frames") == file_sums(frames_run / "frames")
