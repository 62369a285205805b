"""Procedural cartoon characters in the layout of 3DBiCar: for builds without a download.

`write` writes them. This module lists and recognises them without loading the generator.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from specsia_build.errors import CharacterError
from specsia_build.files.sources import read_source

LICENSE = "CC0-1.0"
SOURCE = "specsia procedural samples"
METADATA = "metadata.json"
SAMPLES_VERSION = 3  # Raised whenever the same seed gives other bytes, so that older characters are rewritten


class Stated(msgspec.Struct):
    """Metadata of a sample."""

    source: Literal["specsia procedural samples"]
    version: int
    seed: Annotated[int, msgspec.Meta(ge=0)]
    id: Annotated[int, msgspec.Meta(ge=0)]


def stated_by(folder: Path, root: Path) -> Stated | None:
    """Read the metadata of a sample; None if the folder holds no sample."""
    try:
        return msgspec.json.decode(read_source(folder / METADATA, root, 2**20), type=Stated)
    except (CharacterError, msgspec.MsgspecError):
        return None
