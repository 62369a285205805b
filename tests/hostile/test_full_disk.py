"""A disk that is full at one moment of a command or another: one sentence, and with room the same command finishes.

Where this may mount, the disk is a small one in memory; elsewhere files may not grow beyond a limit.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from specsia_build.cli import main
from tests.hostile.conftest import Tally

BUILD = ("build", "sample:2", "--size", "96", "--views", "4", "--workers", "2")

SHARES = (0.84, 0.96, 0.001, 0.03, 0.2, 0.375, 0.4, 0.55, 0.7, 0.9, 0.975, 0.985)
"""Sizes of the disk, of what a whole build takes; the first are tried in the bounded form."""


def build_with_room(out: Path) -> None:
    """Build into a folder in this process, which takes half of what starting processes does."""
    ran = CliRunner().invoke(main, [*BUILD, "--out", str(out)])
    assert ran.exit_code == 0, ran.output


def refused_build(out: Path, most: int | None = None) -> subprocess.CompletedProcess[str]:
    """Build into a folder, in which no file may have more than `most` bytes."""

    def limit() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    command = [sys.executable, "-c", "from specsia_build.cli import main; main()", *BUILD, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, preexec_fn=limit)


def sums(out: Path) -> str:
    return (out / "dataset" / "SHA256SUMS").read_text()


def taken(folder: Path) -> int:
    """Bytes that a folder's files take on a disk in memory, where folders take none."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if not path.is_dir())


def largest(folder: Path) -> int:
    return max(path.lstat().st_size for path in folder.rglob("*"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, no_workers: None) -> Path:
    """An undisturbed build."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    build_with_room(out)
    return out


def mount(folder: Path, *options: str) -> bool:
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)]
    return mounted and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that may become a mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    yield folder
    while os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.seeds(2, len(SHARES))
def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(
    seed: int, whole: Path, disk: Path, tally: Tally
) -> None:
    out = disk / "out"
    if mount(disk, f"size={int(SHARES[seed] * taken(whole)) // 4096 * 4}k"):
        refused, kind = refused_build(out), "a full disk"
        sentence = "the disk is full, "
    else:
        refused, kind = refused_build(out, int(SHARES[seed] * largest(whole))), "files that may not grow"
        sentence = "could not be written (File too large)"
    told = [line for line in refused.stderr.splitlines() if line.startswith("specsia: ")]
    assert refused.returncode == 1 and "Traceback" not in refused.stderr, refused.stderr
    assert len(told) == 1 and sentence in told[0] and "run the same command again" in told[0], refused.stderr
    assert "quarantined" not in refused.stdout + refused.stderr
    if os.path.ismount(disk):
        subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)
    build_with_room(out)
    assert sums(out) == sums(whole)
    assert not list(out.rglob(".*.tmp"))
    tally(kind, "one sentence, then the same bytes")
