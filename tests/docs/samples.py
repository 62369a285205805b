"""Procedural characters made once for all commands, as each takes a second."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from unittest.mock import patch

from specsia_build.characters.samples.write import write_sample
from specsia_build.characters.sources import DEFAULT_SAMPLE_SEED

COUNT = 3


def share(made: Path) -> None:
    """Write the first ones into a folder, and let whatever this process does take them from there."""
    for index in range(COUNT):
        write_sample(made, index, DEFAULT_SAMPLE_SEED)
    patch("specsia_build.characters.samples.write.write_sample", partial(_take, made)).start()


def _take(made: Path, folder: Path, index: int, seed: int = 0) -> None:
    if seed == DEFAULT_SAMPLE_SEED and index < COUNT and not (folder / str(index)).exists():
        shutil.copytree(made / str(index), folder / str(index))
    else:
        write_sample(folder, index, seed)
