"""What is installed: what the core needs, the extras, Blender, a GPU, and the login to the Hub."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from specsia_build.doctor.fact import BROKEN, MISSING, NOTE, OK, Fact, ask, ask_python
from specsia_build.doctor.machine import cache as cache_fact
from specsia_build.errors import SpecsiaError, some

_CORE = """
import datasets, numba
from specsia_build import jit
from specsia_build.pipeline import build
print(jit.cache_folder().parent)
"""

_TORCH = """
import safetensors, torch
cuda = torch.cuda
seen = [cuda.get_device_name(k) for k in range(cuda.device_count())] if cuda.is_available() else []
print(torch.__version__, "sees", ", ".join(seen) or "no GPU")
"""

_FFMPEG = """
import imageio_ffmpeg as found
print(found.get_ffmpeg_version(), "in", found.get_ffmpeg_exe())
"""

_PYRENDER = """
from specsia_build.rendering.registry import load_renderer
load_renderer("pyrender").check()
print("OpenGL draws")
"""

_BPY = "import bpy; print(bpy.app.version_string, 'as the package bpy')"


@dataclass(frozen=True)
class Extra:
    """What `pip install 'specsia[NAME]'` brings.

    Attributes:
        name: of the extra.
        fact: what it is called here.
        modules: that it brings.
        code: Python that uses them and prints what they are.
        enables: what can be done with it.
    """

    name: str
    fact: str
    modules: tuple[str, ...]
    code: str
    enables: str

    @property
    def install(self) -> str:
        """The line that brings it."""
        return f"pip install 'specsia[{self.name}]'"


TRAIN = Extra("train", "torch", ("torch", "safetensors"), _TORCH, "train, adapt, enhance, evaluate")

EXTRAS = (
    Extra("video", "ffmpeg", ("imageio_ffmpeg",), _FFMPEG, "films as MP4; recipes anidoc, flipsketch, control-video"),
    Extra(
        "metrics",
        "metrics",
        ("lpips", "open_clip", "torch_fidelity"),
        "import lpips, open_clip, torch_fidelity; print('installed')",
        "LPIPS, CLIP and FID in evaluate",
    ),
    Extra("ray", "Ray", ("ray",), "import ray; print(ray.__version__)", "--executor ray, builds on a cluster"),
    Extra("s3", "S3", ("s3fs",), "import s3fs; print(s3fs.__version__)", "s3:// as --out and as a DATASET"),
    Extra("pyrender", "pyrender", ("pyrender",), _PYRENDER, "--renderer pyrender"),
)


def core() -> list[Fact]:
    """Whether what no command can do without is installed and can be loaded, and where compiled code is kept."""
    lacking = [name for name in _required() if not _is_installed(name)]
    mend = "pip install -c constraints.txt ."
    if lacking:
        return [Fact("packages", BROKEN, f"{some(lacking)} not installed", mend=mend, core=True)]
    try:
        compiled = Path(ask_python(_CORE))
    except SpecsiaError as error:
        return [Fact("packages", BROKEN, str(error), mend=mend, core=True)]
    there = Fact("packages", OK, f"all {len(_required())} that a build needs", core=True)
    return [there, cache_fact("compiled", compiled, "the renderer's compiled code")]


def _required() -> list[str]:
    """Names of the distributions that this one needs without any extra."""
    return [
        "".join(letter if letter.isalnum() or letter in "-_." else " " for letter in line).split()[0]
        for line in requires("specsia") or ()
        if "extra ==" not in line
    ]


def _is_installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def extra(wanted: Extra) -> Fact:
    """Whether an extra is there and works."""
    if any(importlib.util.find_spec(name) is None for name in wanted.modules):
        return Fact(wanted.fact, MISSING, "not installed", wanted.enables, wanted.install)
    try:
        return Fact(wanted.fact, OK, ask_python(wanted.code), wanted.enables)
    except SpecsiaError as error:
        return Fact(wanted.fact, BROKEN, str(error), wanted.enables, wanted.install)


def torch() -> Fact:
    """PyTorch, and whether it sees the GPU that the system sees."""
    found = extra(TRAIN)
    if found.state == OK and gpu().state == OK and found.found.endswith("sees no GPU"):
        return Fact(found.name, NOTE, found.found, found.enables, "pip install --force-reinstall torch, built for CUDA")
    return found


@cache
def gpu() -> Fact:
    """What NVIDIA's driver shows."""
    enables = "training in minutes, --preset paper, and the backends of upstream projects"
    smi = shutil.which("nvidia-smi")
    if smi is None:
        return Fact("GPU", MISSING, "no NVIDIA driver is to be seen (nvidia-smi)", enables)
    try:
        lines = ask([smi, "--query-gpu=name,memory.total", "--format=csv,noheader"]).splitlines()
    except SpecsiaError as error:
        return Fact("GPU", BROKEN, f"nvidia-smi: {error}", enables)
    return Fact("GPU", OK if lines else MISSING, "; ".join(lines) or "none that nvidia-smi shows", enables)


def blender() -> Fact:
    """The Blender that would be used, which is started to say its version."""
    from specsia_build.rendering.blender.process import SYSTEM_LIBRARIES, find_command, how_to_install

    enables = "FBX and .blend files, --renderer cycles and eevee"
    install = how_to_install()
    try:
        command = find_command("read_character.py")
        if command is None:
            return Fact("Blender", MISSING, "neither the package bpy nor a program blender", enables, install)
        if command[0] == sys.executable:
            return Fact("Blender", OK, ask_python(_BPY), enables)
        said = ask([command[0], "--version"])
    except SpecsiaError as error:
        libraries = "cannot open shared object" in str(error)
        mend = f"apt-get install {SYSTEM_LIBRARIES}" if libraries else install
        return Fact("Blender", BROKEN, str(error), enables, mend)
    return Fact("Blender", OK, f"{(said.splitlines() or ['it says nothing'])[0]}, {command[0]}", enables)


def hub() -> Fact:
    """Whether there is a token of the Hub, which is shown nowhere, nor sent anywhere."""
    from huggingface_hub import constants, get_token

    enables = "push, and datasets that are private"
    if constants.HF_HUB_OFFLINE:
        return Fact("Hub", NOTE, "HF_HUB_OFFLINE is set: only its cache is read", enables, "unset HF_HUB_OFFLINE")
    if get_token() is None:
        return Fact("Hub", MISSING, f"not logged in at {constants.ENDPOINT}", enables, "hf auth login")
    whose = "HF_TOKEN" if os.environ.get("HF_TOKEN") else "hf auth login"
    return Fact("Hub", OK, f"a token of {whose}, for {constants.ENDPOINT}; it was not tried", enables)
