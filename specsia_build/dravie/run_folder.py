"""What lies where in the folder of a training or an adaptation; read without torch."""

from __future__ import annotations

from pathlib import Path

RUN_FILE = "run.json"

ADAPTED_FROM = "adapted_from"
"""What an adapted model's `RUN_FILE` has instead of the settings of a training."""

FOLDER = "checkpoints"


def checkpoints(run: Path) -> list[Path]:
    """Checkpoints of a run, the oldest first; their names are their steps, of seven digits or more."""
    found = [path for path in (run / FOLDER).glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))
