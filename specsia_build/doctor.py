"""What this machine has and lacks, what that would enable, and the line that installs it; nothing is changed."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import distributions, requires
from pathlib import Path

from specsia_build import __version__
from specsia_build.config import cores
from specsia_build.errors import SpecsiaError, brief, some
from specsia_build.folders import homed, user_cache
from specsia_build.memory import MEMORY, memory_bytes, shown

OK, NOTE, MISSING, BROKEN = "ok", "note", "missing", "broken"

PATIENCE = 60.0
"""Seconds after which a program that was asked is given up."""

LITTLE_DISK = 5 * 2**30
"""Bytes: a dataset of 1,500 characters takes several gigabytes, with its artefacts."""

_CORE = "import datasets, numba; from specsia_build.pipeline import build; print('all that a build needs')"
_TORCH = (
    "import safetensors, torch; print(torch.__version__, 'with', 'a GPU' if torch.cuda.is_available() else 'no GPU')"
)
_FFMPEG = "import imageio_ffmpeg as f; print(f.get_ffmpeg_version())"
_OPENGL = (
    "from specsia_build.rendering.registry import load_renderer; load_renderer('pyrender').check(); print('draws')"
)


@dataclass(frozen=True)
class Fact:
    """One thing that a machine has or lacks.

    Attributes:
        state: `OK`; `NOTE`, there with a limit; `MISSING`; `BROKEN`, there and not working.
        found: what is there, or what is wrong.
        enables: what it is for, where not all need it.
        mend: line that installs or mends it.
        name: of it.
        core: whether nothing works without it.
    """

    state: str
    found: str
    enables: str = ""
    mend: str = ""
    name: str = ""
    core: bool = False


def ask(command: Sequence[str]) -> str:
    """What a program prints.

    Raises:
        SpecsiaError: if it fails or takes too long, with its last line.
    """
    try:
        done = subprocess.run(  # noqa: S603  programs of this machine, none named by data
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, env=homed(), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SpecsiaError(f"no answer within {PATIENCE:g} seconds") from error
    except OSError as error:
        raise SpecsiaError(brief(f"{command[0]}: {error.strerror or error}")) from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise SpecsiaError(brief(lines[-1] if lines else f"it ended with exit code {done.returncode}"))
    return done.stdout.decode(errors="replace").strip()


def _tried(command: Sequence[str], enables: str = "", mend: str = "") -> Fact:
    """Whether a program answers."""
    try:
        return Fact(OK, ask(command).replace("\n", "; "), enables)
    except SpecsiaError as error:
        return Fact(BROKEN, str(error), enables, mend)


def _python(code: str) -> list[str]:
    """A program of Python code, which imports nothing from the current folder."""
    return [sys.executable, "-P", "-c", code]


def python() -> Fact:
    """Python, and where specsia is."""
    found = f"{platform.python_version()} ({sys.executable}), specsia {__version__} in {Path(__file__).parent}"
    return Fact(OK, found) if sys.version_info >= (3, 11) else Fact(BROKEN, found, mend="install Python 3.11 or newer")


def memory() -> Fact:
    """Memory, for how many workers it is enough."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (Path(f"/sys/fs/cgroup/{name}") for name in ("memory.max", "memory/memory.limit_in_bytes"))
    stated = [int(path.read_text()) for path in limits if path.is_file() and path.read_text().strip().isdecimal()]
    most = min(whole, *stated, whole)
    workers = most // memory_bytes(MEMORY)
    found = f"{shown(most)}, for {workers} workers of {MEMORY}"
    if workers >= cores():
        return Fact(OK, found)
    return Fact(NOTE, found, mend=f"specsia build SOURCE --workers {max(1, workers)}")


def disk(folder: Path) -> Fact:
    """Whether a folder can be written, and what is free there."""
    if not os.access(folder, os.W_OK):
        return Fact(BROKEN, f"{folder} cannot be written", mend="go to a folder of your own")
    free = shutil.disk_usage(folder).free
    return Fact(NOTE if free < LITTLE_DISK else OK, f"{shown(free)} free in {folder}")


def packages() -> Fact:
    """Whether all that a build needs is installed and loads."""
    names = [re.split(r"[^\w.-]", line)[0] for line in requires("specsia") or () if "extra ==" not in line]
    mend = "pip install -c constraints.txt ."
    lacking = [name for name in names if next(iter(distributions(name=name)), None) is None]
    return Fact(BROKEN, f"{some(lacking)} not installed", mend=mend) if lacking else _tried(_python(_CORE), "", mend)


def extra(name: str, modules: str, code: str, enables: str) -> Fact:
    """Whether an extra's modules are there, and its code works."""
    install = f"pip install 'specsia[{name}]'"
    if any(importlib.util.find_spec(module) is None for module in modules.split()):
        return Fact(MISSING, "not installed", enables, install)
    return _tried(_python(code), enables, install)


def gpu() -> Fact:
    """What NVIDIA's driver shows."""
    enables, smi = "training in minutes, --preset paper, upstream backends", shutil.which("nvidia-smi")
    if smi is None:
        return Fact(MISSING, "no NVIDIA driver (nvidia-smi)", enables)
    return _tried([smi, "--query-gpu=name,memory.total", "--format=csv,noheader"], enables)


def blender() -> Fact:
    """The Blender that would be used."""
    from specsia_build.rendering.blender.process import find_command, how_to_install

    enables, install = "FBX and .blend files, --renderer cycles and eevee", how_to_install()
    try:
        command = find_command("export_glb.py")
    except SpecsiaError as error:
        return Fact(BROKEN, str(error), enables, install)
    if command is None:
        return Fact(MISSING, "neither the package bpy nor a program blender", enables, install)
    if command[0] == sys.executable:
        return _tried(_python("import bpy; print(bpy.app.version_string)"), enables, install)
    fact = _tried([command[0], "--version"], enables, install)
    return replace(fact, found=fact.found.split("; ")[0])


def hub() -> Fact:
    """Whether there is a token of the Hub, which is neither shown nor sent."""
    from huggingface_hub import constants, get_token

    enables = "push, and private datasets"
    if constants.HF_HUB_OFFLINE:
        return Fact(NOTE, "HF_HUB_OFFLINE is set: only its cache is read", enables, "unset HF_HUB_OFFLINE")
    if get_token() is None:
        return Fact(MISSING, f"not logged in at {constants.ENDPOINT}", enables, "hf auth login")
    return Fact(OK, f"a token for {constants.ENDPOINT}, which was not tried", enables)


EXTRAS = (
    ("torch", "train", "torch safetensors", _TORCH, "train, adapt, enhance, evaluate"),
    ("ffmpeg", "video", "imageio_ffmpeg", _FFMPEG, "films as MP4; recipes anidoc, flipsketch, control-video"),
    ("metrics", "metrics", "lpips open_clip", "print('installed')", "LPIPS and CLIP in evaluate"),
    ("Ray", "ray", "ray", "import ray; print(ray.__version__)", "--executor ray, builds on a cluster"),
    ("S3", "s3", "s3fs", "import s3fs; print(s3fs.__version__)", "s3:// as --out and as a DATASET"),
    ("pyrender", "pyrender", "pyrender", _OPENGL, "--renderer pyrender"),
)
"""Name, extra, modules, code that tries it, and what it enables."""

CHECKS: tuple[tuple[str, Callable[[], Fact]], ...] = (
    ("Python", python),
    ("packages", packages),
    ("disk", lambda: disk(Path.cwd())),
    ("scratch", lambda: disk(Path(tempfile.gettempdir()))),
    ("cores", lambda: Fact(OK, f"{cores()} of {os.cpu_count() or 1}")),
    ("memory", memory),
    ("cache", lambda: Fact(OK, str(user_cache()), "compiled code and what else can be made again")),
    ("GPU", gpu),
    *((name, partial(extra, *what)) for name, *what in EXTRAS),
    ("Blender", blender),
    ("Hub", hub),
)
"""What is looked at, by the name that it is told by."""

CORE = ("Python", "packages", "disk", "scratch")
"""Those that every build needs."""


def examine() -> list[Fact]:
    """Look at the machine; nothing is asked of a network."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(_fact, CHECKS))


def _fact(check: tuple[str, Callable[[], Fact]]) -> Fact:
    """A fact, or what kept it from being found, so that the rest is told all the same."""
    name, find = check
    try:
        fact = find()
    except Exception as error:
        fact = Fact(BROKEN, brief(f"{type(error).__name__}: {error}"))
    return replace(fact, name=name, core=name in CORE)


def works(facts: Sequence[Fact]) -> bool:
    """Whether datasets can be built here."""
    return not any(fact.core and fact.state == BROKEN for fact in facts)
