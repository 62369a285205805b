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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
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

EXTRAS = (
    ("train", "torch", "torch safetensors", _TORCH, "train, adapt, enhance, evaluate"),
    ("video", "ffmpeg", "imageio_ffmpeg", _FFMPEG, "films as MP4; recipes anidoc, flipsketch, control-video"),
    ("metrics", "metrics", "lpips open_clip", "print('installed')", "LPIPS and CLIP in evaluate"),
    ("ray", "Ray", "ray", "import ray; print(ray.__version__)", "--executor ray, builds on a cluster"),
    ("s3", "S3", "s3fs", "import s3fs; print(s3fs.__version__)", "s3:// as --out and as a DATASET"),
    ("pyrender", "pyrender", "pyrender", _OPENGL, "--renderer pyrender"),
)
"""Of each extra its name, what it is called here, its modules, code that tries it, and what it enables."""


@dataclass(frozen=True)
class Fact:
    """One thing that a machine has or lacks.

    Attributes:
        name: of it.
        state: `OK`; `NOTE`, there with a limit; `MISSING`; `BROKEN`, there and not working.
        found: what is there, or what is wrong.
        enables: what it is for, where not all need it.
        mend: line that installs or mends it.
        core: whether nothing works without it.
    """

    name: str
    state: str
    found: str
    enables: str = ""
    mend: str = ""
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


def ask_python(code: str) -> str:
    """What Python code prints in a process of its own, which imports nothing from the current folder."""
    return ask([sys.executable, "-P", "-c", code])


def machine() -> Iterator[Fact]:
    """Python, cores, memory, disks and caches."""
    old = sys.version_info < (3, 11)
    found = f"{platform.python_version()} ({sys.executable}), specsia {__version__} in {Path(__file__).parent}"
    yield Fact("Python", BROKEN if old else OK, found, mend="install Python 3.11 or newer" * old, core=True)
    yield Fact("cores", OK, f"{cores()} of {os.cpu_count() or 1}")
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (Path(f"/sys/fs/cgroup/{name}") for name in ("memory.max", "memory/memory.limit_in_bytes"))
    stated = [int(path.read_text()) for path in limits if path.is_file() and path.read_text().strip().isdecimal()]
    most = min(whole, *stated, whole)
    few = most // memory_bytes(MEMORY)
    tight = few < cores()
    mend = f"specsia build SOURCE --workers {max(1, few)}" * tight
    yield Fact("memory", NOTE if tight else OK, f"{shown(most)}, for {few} workers of {MEMORY}", mend=mend)
    for name, folder in (("disk", Path.cwd()), ("scratch", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        if not os.access(folder, os.W_OK):
            yield Fact(name, BROKEN, f"{folder} cannot be written", mend="go to a folder of your own", core=True)
        else:
            yield Fact(name, NOTE if free < LITTLE_DISK else OK, f"{shown(free)} free in {folder}")
    yield Fact("cache", OK, str(user_cache()), "compiled code and what else can be made again")


def packages() -> Iterator[Fact]:
    """Whether all that a build needs is installed and loads."""
    names = [re.split(r"[^\w.-]", line)[0] for line in requires("specsia") or () if "extra ==" not in line]
    lacking, mend = [name for name in names if not _is_installed(name)], "pip install -c constraints.txt ."
    if lacking:
        yield Fact("packages", BROKEN, f"{some(lacking)} not installed", mend=mend, core=True)
    else:
        yield _tried("packages", lambda: ask_python(_CORE), "", mend, core=True)


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _tried(name: str, find: Callable[[], str], enables: str, mend: str, core: bool = False) -> Fact:
    """A fact whose state is whether something answers."""
    try:
        return Fact(name, OK, find(), enables, core=core)
    except SpecsiaError as error:
        return Fact(name, BROKEN, str(error), enables, mend, core)


def extra(name: str, called: str, modules: str, code: str, enables: str) -> Iterator[Fact]:
    """Whether an extra is there and works."""
    install = f"pip install 'specsia[{name}]'"
    if any(importlib.util.find_spec(module) is None for module in modules.split()):
        yield Fact(called, MISSING, "not installed", enables, install)
    else:
        yield _tried(called, lambda: ask_python(code), enables, install)


def gpu() -> Iterator[Fact]:
    """What NVIDIA's driver shows."""
    enables, smi = "training in minutes, --preset paper, upstream backends", shutil.which("nvidia-smi")
    if smi is None:
        yield Fact("GPU", MISSING, "no NVIDIA driver (nvidia-smi)", enables)
    else:
        query = [smi, "--query-gpu=name,memory.total", "--format=csv,noheader"]
        yield _tried("GPU", lambda: ask(query).replace("\n", "; "), enables, "")


def blender() -> Iterator[Fact]:
    """The Blender that would be used."""
    from specsia_build.rendering.blender.process import find_command, how_to_install

    enables, install = "FBX and .blend files, --renderer cycles and eevee", how_to_install()
    try:
        command = find_command("export_glb.py")
    except SpecsiaError as error:
        yield Fact("Blender", BROKEN, str(error), enables, install)
        return
    if command is None:
        yield Fact("Blender", MISSING, "neither the package bpy nor a program blender", enables, install)
    elif command[0] == sys.executable:
        yield _tried("Blender", lambda: ask_python("import bpy; print(bpy.app.version_string)"), enables, install)
    else:
        yield _tried("Blender", lambda: ask([command[0], "--version"]).splitlines()[0], enables, install)


def hub() -> Iterator[Fact]:
    """Whether there is a token of the Hub, which is neither shown nor sent."""
    from huggingface_hub import constants, get_token

    enables = "push, and private datasets"
    if constants.HF_HUB_OFFLINE:
        yield Fact("Hub", NOTE, "HF_HUB_OFFLINE is set: only its cache is read", enables, "unset HF_HUB_OFFLINE")
    elif get_token() is None:
        yield Fact("Hub", MISSING, f"not logged in at {constants.ENDPOINT}", enables, "hf auth login")
    else:
        yield Fact("Hub", OK, f"a token for {constants.ENDPOINT}, which was not tried", enables)


def examine() -> list[Fact]:
    """Look at the machine; nothing is asked of a network."""
    finders: list[Callable[[], Iterator[Fact]]] = [machine, packages, gpu]
    finders += [lambda wanted=wanted: extra(*wanted) for wanted in EXTRAS]  # type: ignore[misc]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(_caught, [*finders, blender, hub]))
    return [fact for facts in found for fact in facts]


def _caught(find: Callable[[], Iterator[Fact]]) -> list[Fact]:
    """Facts, or what kept them from being found, so that the rest is told all the same."""
    try:
        return list(find())
    except Exception as error:
        name = getattr(find, "__name__", "extra")
        return [Fact(name, BROKEN, brief(f"{type(error).__name__}: {error}"), core=find in (machine, packages))]


def works(facts: Sequence[Fact]) -> bool:
    """Whether datasets can be built here."""
    return not any(fact.core and fact.state == BROKEN for fact in facts)
