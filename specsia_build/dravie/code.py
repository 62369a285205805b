"""Which code decides a result: whatever of it is edited, results that were kept from before are made anew.

Modules are named by their file, packages by their folder, below this project's package. What they import and is not
named here cannot change a pixel: it reads, writes, names or reports.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import specsia_build

PAINTING = (
    "dataset/pairs.py",
    "dravie/adaptation/adapt.py",
    "dravie/ahead.py",
    "dravie/apply.py",
    "dravie/config.py",
    "dravie/data/agreement.py",
    "dravie/data/encoding.py",
    "dravie/data/frames.py",
    "dravie/network/adam.py",
    "dravie/network/losses.py",
    "dravie/evaluation/methods.py",
    "dravie/metrics.py",
    "dravie/near.py",
    "dravie/network/model.py",
    "dravie/network/networks.py",
    "dravie/data/patches.py",
    "dravie/recall.py",
    "dravie/evaluation/results.py",
    "dravie/step.py",
    "jit.py",
    "png.py",
    "rendering",
)
"""What a method makes of a view."""

TURNING = (
    "animation",
    "backends/likeness.py",
    "characters",
    "config.py",
    "dravie/evaluation/turntable.py",
    "frame.py",
    "jit.py",
    "png.py",
    "registration",
    "rendering",
    "stages/frontal.py",
    "stages/mesh_files.py",
    "stages/project.py",
    "stages/render.py",
)
"""The views all around a character."""


TOP = Path(specsia_build.__file__).parent


def files_of(names: tuple[str, ...], top: Path = TOP) -> list[Path]:
    """The source files that modules and packages are."""
    paths = [top / name for name in names]
    return sorted(file for path in paths for file in ([path] if path.suffix == ".py" else path.rglob("*.py")))


@cache
def code_digest(names: tuple[str, ...], top: Path = TOP) -> str:
    """SHA-256 of the sources of modules and packages, as they are when this process first asks."""
    found = hashlib.sha256()
    for path in files_of(names, top):
        data = path.read_bytes()
        found.update(f"{path.relative_to(top).as_posix()} {len(data)}\n".encode() + data)
    return found.hexdigest()
