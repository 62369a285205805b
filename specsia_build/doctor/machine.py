"""The computer: Python, cores, memory, disks, and the folders of caches with their sizes."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from specsia_build import __version__
from specsia_build.doctor.fact import BROKEN, NOTE, OK, Fact
from specsia_build.memory import MEMORY, memory_bytes, shown

LITTLE_DISK = 5 * 2**30
"""Bytes; a dataset of 1,500 characters takes several gigabytes, with what it is made from."""

_LOOK_SECONDS = 5.0
"""For the size of one cache."""

_OLDEST = (3, 11)

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where a container says what it may use, in its two versions."""


def python() -> Fact:
    """This interpreter and this package."""
    found = f"{platform.python_version()} ({sys.executable}), specsia {__version__} in {Path(__file__).parents[1]}"
    old = sys.version_info < _OLDEST
    mend = "install Python 3.11 or newer" if old else ""
    return Fact("Python", BROKEN if old else OK, found, mend=mend, core=True)


def cores() -> Fact:
    """Those that a build starts processes for."""
    from specsia_build.config import cores as usable

    mine, all_ = usable(), os.cpu_count() or 1
    return Fact("cores", OK, f"{mine}" if mine == all_ else f"{mine} of {all_} may be used here")


def memory() -> Fact:
    """What the machine has, or this container may use, beside what a build's workers may take together."""
    from specsia_build.config import cores as usable

    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min((_number(path) for path in _LIMITS), default=whole)
    most = min(whole, limit)
    found = shown(most) if most == whole else f"{shown(most)}, which this container may use of {shown(whole)}"
    wanted = usable() * memory_bytes(MEMORY)
    if wanted > most:
        fits = max(1, most // memory_bytes(MEMORY))
        said = f"{found}: fewer than {usable()} workers of {MEMORY} each, should large characters need that"
        return Fact("memory", NOTE, said, mend=f"specsia build SOURCE --workers {fits}")
    return Fact("memory", OK, found)


def _number(path: str) -> int:
    """The number in a file of the system; endless where there is none."""
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return sys.maxsize


def disk(name: str, folder: Path) -> Fact:
    """What is free where a folder lies or would lie, and whether it can be written."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if not os.access(place, os.W_OK):
        return Fact(name, BROKEN, f"{folder} cannot be written", mend="go to a folder of your own", core=True)
    state = NOTE if free < LITTLE_DISK else OK
    return Fact(name, state, f"{shown(free)} free in {folder}", mend="make room" * (state == NOTE))


def disks() -> list[Fact]:
    """Where a run is written unless told otherwise, and where scratch is."""
    temporary = Path(tempfile.gettempdir())
    return [disk("disk", Path.cwd()), disk("scratch", temporary)]


def cache(name: str, folder: Path, holds: str) -> Fact:
    """A folder that can be deleted, and what is in it."""
    found = f"{_size(folder)} in {folder}" if folder.is_dir() else f"nothing yet in {folder}"
    return Fact(name, OK, found, enables=holds)


def _size(folder: Path) -> str:
    """Bytes of all files below a folder, as far as they are counted in time."""
    total, last = 0, time.monotonic() + _LOOK_SECONDS
    for size in _sizes(folder):
        total += size
        if time.monotonic() > last:
            return f"more than {shown(total)}"
    return shown(total)


def _sizes(folder: Path) -> Iterator[int]:
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                facts = (Path(where) / name).lstat()
            except OSError:
                continue
            yield facts.st_blocks * 512


def caches() -> list[Fact]:
    """Folders of what can be made or downloaded again."""
    from huggingface_hub import constants

    from specsia_build.characters.blender.kept import cache_folder
    from specsia_build.folders import user_cache

    hub, own, read = Path(constants.HF_HUB_CACHE), user_cache(), cache_folder()
    loaded = Path(os.environ.get("HF_DATASETS_CACHE") or Path(constants.HF_HOME) / "datasets")
    return [
        cache("cache", own, "what specsia keeps"),
        *([] if own in read.parents else [cache("Blender's", read, "what Blender read")]),
        cache("Hub's", hub, "what was downloaded from the Hugging Face Hub"),
        cache("datasets'", loaded, "what `load_dataset` unpacked"),
    ]
