"""A disk that is full at some moment of a build: one sentence, and a rerun finishes once there is room.

Where this may mount, the disk is a small one in memory; elsewhere files may not grow beyond a limit.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import COMMAND, specsia

BUILD = ("build", "sample:2", "--size", "64", "--views", "2", "--workers", "1")

SHARES = (0.84, 0.96, 0.001, 0.03, 0.2, 0.375, 0.4, 0.55, 0.7, 0.9, 0.975, 0.985)
"""Sizes of the disk, of what a whole build takes; the first are tried in the bounded form."""


def build_with_room(out: Path) -> str:
    """Build in this process, which takes half of what starting processes does; returns the dataset's sums."""
    specsia(*BUILD, "--out", out)
    return (out / "dataset" / "SHA256SUMS").read_text()


def refused_build(out: Path, most: int | None = None) -> subprocess.CompletedProcess[str]:
    """Build into a folder, in which no file may have more than `most` bytes."""

    def limit() -> None:
        if most is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    command = [*COMMAND, *BUILD, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, preexec_fn=limit)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, no_workers: None) -> tuple[str, list[os.stat_result]]:
    """An undisturbed build: its sums, and the sizes of its files."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    sums = build_with_room(out)
    return sums, [path.lstat() for path in out.rglob("*") if not path.is_dir()]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that may become a mount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    yield folder
    while os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def mount(folder: Path, kilobytes: int) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    can = os.geteuid() == 0 and shutil.which("mount") is not None
    return can and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.seeds(2, len(SHARES))
def test_full_disk(seed: int, whole: tuple[str, list[os.stat_result]], disk: Path) -> None:
    sums, files = whole
    out, share = disk / "out", SHARES[seed]
    if mount(disk, int(share * sum(file.st_blocks for file in files)) * 512 // 4096 * 4):
        refused, sentence = refused_build(out), "the disk is full, "
    else:
        refused = refused_build(out, int(share * max(file.st_size for file in files)))
        sentence = "could not be written (File too large)"
    lines = [line for line in refused.stderr.splitlines() if line.startswith("specsia: ")]
    assert refused.returncode == 1 and "Traceback" not in refused.stderr, refused.stderr
    (line,) = lines
    assert sentence in line and "run the same command again" in line
    assert "quarantined" not in refused.stdout + refused.stderr
    assert not (out / ".dataset.partial").exists()
    if os.path.ismount(disk):
        subprocess.run(["mount", "-o", "remount,size=256m", str(disk)], check=True)
    assert build_with_room(out) == sums
    assert not list(out.rglob(".*.tmp"))
