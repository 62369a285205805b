"""The recipe `frames`: a folder for each clip, with `color/`, `mask/` and `pos/`, a picture each for every frame."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import png
from specsia_build.config import FRAMES
from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.records import read_json
from specsia_build.files.writing import remove_tree, replacing_folder
from specsia_build.films import side_by_side, write_film
from specsia_build.stages.artefact import Artefact, frame_file
from specsia_build.stages.clips import draw
from specsia_build.stages.looks import COLOR
from specsia_build.stages.render import GT

LAYERS = draw.LAYERS[FRAMES]

RECORD = "clip.json"
"""Beside the folders of a clip: what it is."""

KIND = "specsia clip"

PREVIEW = "preview"


@dataclass(frozen=True)
class ClipFolder:
    """One clip to be written.

    Attributes:
        path: of its folder.
        pictures: the artefact that holds its layers.
        clean: the artefact that says what the clip is; the same one for clean frames.
        preview: write a film too, of the pictures beside Y* where that is another.
    """

    path: Path
    pictures: Artefact
    clean: Artefact
    preview: bool


def record(clean: Mapping[str, Any], pictures: Mapping[str, Any], preview: bool) -> dict[str, Any]:
    """What a clip's folder is to say of itself, by the meta data of its artefacts; see `ClipFolder`."""
    return {
        "kind": KIND,
        "clip": clean["id"],
        "character": clean["character"],
        "action": clean["clip"]["action"],
        "view": clean["clip"]["view"],
        "yaws": clean["yaws"],
        "fps": clean["fps"],
        "times": clean["times"],
        "size": clean["size"],
        "width": clean["width"],
        "box": pictures["box"],
        "backend": pictures.get("backend"),
        "license": clean["license"],
        "source": clean["source"],
        "fingerprint": pictures["fingerprint"],
        "preview": preview,
    }


def record_of(folder: Path) -> Mapping[str, Any] | None:
    """What a clip's folder says of itself; None where there is none that we wrote."""
    try:
        found = read_json(folder / RECORD)
    except (SpecsiaError, OSError):
        return None
    return found if isinstance(found, dict) and found.get("kind") == KIND else None


def is_whole(folder: Path, frames: int) -> bool:
    """Whether a clip's folder has every picture."""
    wanted = {f"{frame:04d}.png" for frame in range(frames)}
    layers = [folder / layer for layer in LAYERS]
    return all(layer.is_dir() and wanted <= {path.name for path in layer.iterdir()} for layer in layers)


def is_written(folder: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether a clip's folder is there with what it is to say of itself, and every picture."""
    return record_of(folder) == wanted and is_whole(folder, len(wanted["times"]))


def write_clip(folder: ClipFolder) -> None:
    """Write a clip's folder whole or not at all, in place of one that we wrote before.

    Raises:
        UsageError: if something lies there that we did not write.
        WriteError: if it cannot be written.
    """
    wanted = record(folder.clean.meta, folder.pictures.meta, folder.preview)
    if (
        record_of(folder.path) is None
        and folder.path.exists()
        and (not folder.path.is_dir() or any(folder.path.iterdir()))
    ):
        raise UsageError(f"{folder.path} is not a clip that specsia wrote: move it away, or name another --out")
    with replacing_folder(folder.path, lambda _: False) as out:
        for layer in LAYERS:
            (out / layer).mkdir()
            for frame in range(len(wanted["times"])):
                (out / layer / f"{frame:04d}.png").write_bytes(folder.pictures.files[frame_file(layer, frame)])
        if folder.preview:
            _write_preview(folder, out / PREVIEW)
        text = json.dumps(wanted, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        (out / RECORD).write_text(text, encoding="utf-8")


def _write_preview(folder: ClipFolder, stem: Path) -> None:
    meta = folder.clean.meta
    beside: list[tuple[Artefact, str]] = [(folder.pictures, COLOR)]
    if folder.pictures is not folder.clean:
        beside.append((folder.clean, GT if frame_file(GT, 0) in folder.clean.files else COLOR))

    def composed() -> Iterator[NDArray[np.uint8]]:
        for frame in range(len(meta["times"])):
            pictures = [png.decode(found.files[frame_file(layer, frame)], 4) for found, layer in beside]
            yield side_by_side(pictures, (meta["size"], meta["size"]))

    write_film(stem, len(meta["times"]), composed(), meta["fps"])


def remove_others(folder: Path, kept: Sequence[str]) -> tuple[int, list[str]]:
    """Remove clips of an earlier run that are none of `kept`.

    Returns:
        How many were removed, and the names of what is no clip of ours and stays.
    """
    if not folder.is_dir():
        return 0, []
    removed, foreign, wanted = 0, [], set(kept)
    for path in sorted(folder.iterdir()):
        if path.name in wanted:
            continue
        if path.is_dir() and not path.is_symlink() and record_of(path) is not None:
            remove_tree(path)
            removed += 1
        else:
            foreign.append(path.name)
    return removed, foreign
