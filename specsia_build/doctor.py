"""Check what this machine has and lacks, with the line that installs it; nothing is changed."""

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
from specsia_build.extras import how_to_add
from specsia_build.folders import homed, listed_below, user_cache
from specsia_build.jit import compiled_folders
from specsia_build.memory import MEMORY, format_size, memory_bytes

OK = "ok"
_NOTE = "note"
LACKING = "missing"
BROKEN = "broken"

PATIENCE, LITTLE_DISK = 60.0, 5 * 2**30
"""Time limit of a program in seconds, and bytes of a dataset of 1,500 characters with its artefacts."""


@dataclass(frozen=True)
class Fact:
    """What a machine has or lacks, what that `enables`, and the command that fixes it.

    The state is `OK`, `_NOTE` (present with a limit), `LACKING` or `BROKEN` (present, but not working). If
    `enables` is empty, every build needs it.
    """

    state: str
    details: str
    enables: str = ""
    fix: str = ""
    name: str = ""
    core: bool = False


def _run(command: Sequence[str], enables: str = "", fix: str = "") -> Fact:
    """Run a program; the fact is its output, or the last line of its error."""
    try:
        result = subprocess.run(  # noqa: S603  programs of this machine, none named by data
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, env=homed(), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Fact(BROKEN, brief(str(error)), enables, fix)
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines()
        return Fact(BROKEN, brief(lines[-1] if lines else f"exit code {result.returncode}"), enables, fix)
    return Fact(OK, result.stdout.decode(errors="replace").strip().replace("\n", "; "), enables)


def _run_python(code: str, enables: str, fix: str) -> Fact:
    """Run Python code without importing from the current folder."""
    return _run([sys.executable, "-P", "-c", code], enables, fix)


def memory() -> Fact:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdecimal():
        size = min(size, int(text))
    workers = size // memory_bytes(MEMORY)
    fact = Fact(OK, f"{format_size(size)}, for {workers} workers of {MEMORY}")
    return fact if workers >= cores() else replace(fact, state=_NOTE, fix=f"--workers {max(1, workers)}")


def disk(folder: Path) -> Fact:
    if not os.access(folder, os.W_OK):
        return Fact(BROKEN, f"{folder} cannot be written", fix="go to a folder of your own")
    free = shutil.disk_usage(folder).free
    return Fact(_NOTE if free < LITTLE_DISK else OK, f"{format_size(free)} free in {folder}")


def packages() -> Fact:
    names = [re.split(r"[^\w.-]", line)[0] for line in requires("specsia") or () if "extra ==" not in line]
    fix = "pip install -c constraints.txt ."
    if missing := [name for name in names if next(iter(distributions(name=name)), None) is None]:
        return Fact(BROKEN, f"{some(missing)} not installed", fix=fix)
    code = "import datasets, numba; from specsia_build.pipeline import build; print('all that a build needs')"
    return _run_python(code, "", fix)


def extra(name: str, modules: str, code: str, enables: str) -> Fact:
    """Report whether the modules of an extra are installed, and its code works."""
    install = how_to_add(name)
    if any(importlib.util.find_spec(module) is None for module in modules.split()):
        return Fact(LACKING, "not installed", enables, install)
    return _run_python(code, enables, install)


def gpu() -> Fact:
    enables, smi = "training in minutes, --preset paper, upstream backends", shutil.which("nvidia-smi")
    if smi is None:
        return Fact(LACKING, "no NVIDIA driver (nvidia-smi)", enables)
    return _run([smi, "--query-gpu=name,memory.total", "--format=csv,noheader"], enables)


def blender() -> Fact:
    from specsia_build.rendering.blender.process import find_command, how_to_install

    enables, install = ".blend files, --renderer cycles", how_to_install()
    try:
        command = find_command("export_glb.py")
    except SpecsiaError as error:
        return Fact(BROKEN, str(error), enables, install)
    if command is None:
        return Fact(LACKING, "neither the package bpy nor a program blender", enables, install)
    if command[0] == sys.executable:
        return _run_python("import bpy; print(bpy.app.version_string)", enables, install)
    fact = _run([command[0], "--version"], enables, install)
    return replace(fact, details=fact.details.split("; ")[0])


def hub() -> Fact:
    """Report whether a token of the Hub is stored; it is neither printed nor sent."""
    from huggingface_hub import constants, get_token

    enables = "push, and private datasets"
    if get_token() is None:
        return Fact(LACKING, f"not logged in at {constants.ENDPOINT}", enables, "hf auth login")
    return Fact(OK, f"a token for {constants.ENDPOINT}, which was not tried", enables)


_TORCH = "import torch; print(torch.__version__, 'with GPU' if torch.cuda.is_available() else 'without GPU')"
_FFMPEG = "import imageio_ffmpeg as f; print(f.get_ffmpeg_version())"
_OPENGL = (
    "from specsia_build.rendering.layers import load_renderer; load_renderer('pyrender').check(); "
    "print('draws')"
)


def _python() -> Fact:
    return Fact(OK, f"{platform.python_version()} ({sys.executable}), specsia {__version__}")


def processor() -> Fact:
    from llvmlite.binding import get_host_cpu_features

    count = f"{cores()} of {os.cpu_count() or 1}"
    # Only processors of the x86 family report it; all 64-bit ARM processors have it.
    if get_host_cpu_features().get("fma", True):
        return Fact(OK, count)
    return Fact(_NOTE, f"{count}, without FMA instructions: relief and DraViE take 75 times as long")


_CHECKS: dict[str, Callable[[], Fact]] = {
    "Python": _python,
    "packages": packages,
    "disk": lambda: disk(Path.cwd()),
    "scratch": lambda: disk(Path(tempfile.gettempdir())),
    "cores": processor,
    "memory": memory,
    "cache": lambda: Fact(OK, str(user_cache()), "compiled code and what else can be made again"),
    "GPU": gpu,
    "torch": partial(extra, "train", "torch safetensors", _TORCH, "train, adapt, evaluate, GPUs"),
    "ffmpeg": partial(_run_python, _FFMPEG, "films: MP4 and GIF", "pip install imageio-ffmpeg"),
    "metrics": partial(
        extra, "metrics", "lpips open_clip", "print('installed')", "LPIPS and CLIP in evaluate"
    ),
    "Ray": partial(
        extra, "ray", "ray", "import ray; print(ray.__version__)", "--executor ray, builds on a cluster"
    ),
    "S3": partial(
        extra, "s3", "s3fs", "import s3fs; print(s3fs.__version__)", "s3:// as --out and as a DATASET"
    ),
    "pyrender": partial(extra, "pyrender", "pyrender", _OPENGL, "--renderer pyrender"),
    "Blender": blender,
    "Hub": hub,
}

CORE = ("packages", "disk", "scratch")  # Checks that every build needs


def caches() -> dict[str, list[Path]]:
    """Folders of this user that can be made again, by what they hold; some may not exist."""
    from specsia_build.characters.blender import kept_exports
    from specsia_build.web.sessions import killed_servers

    return {
        "compiled code": compiled_folders(),
        ".blend exports": kept_exports(),
        "decoded datasets": [user_cache() / "frames"],
        "files of ended web servers": killed_servers(),
    }


def size_of(folders: Sequence[Path]) -> int:
    """Bytes of all files below some folders; links are not followed."""
    files = (folder / name for folder in folders if folder.is_dir() for name in listed_below(folder))
    return sum(file.lstat().st_size for file in files)


def _check(name: str) -> Fact:
    try:
        fact = _CHECKS[name]()
    except Exception as error:
        fact = Fact(BROKEN, brief(f"{type(error).__name__}: {error}"))
    return replace(fact, name=name, core=name in CORE)


def examine() -> list[Fact]:
    """Look at the machine, without a network; a check that raises is broken."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(_check, _CHECKS))


def works(facts: Sequence[Fact]) -> bool:
    """Whether datasets can be built here."""
    return not any(fact.core and fact.state == BROKEN for fact in facts)
