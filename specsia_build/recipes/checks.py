"""The check of a part's files that all recipes share: they are complete, and each can be decoded."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from specsia_build.errors import SpecsiaError
from specsia_build.files.records import read_json
from specsia_build.films import read_mp4
from specsia_build.sheets import as_stored

MOST_FRAMES = 100_000
"""Frames of a part that are checked; more are refused, so that a false number costs no memory."""

MOST_BYTES = 1 << 28
"""Size of an unpacked array, at most; layers of frames are far smaller."""


def check_files(folder: Path, names: Collection[str], expected: Mapping[str, int] | None) -> Iterator[str]:
    """Check the files of a part.

    Pictures, arrays, films and JSON must be decodable, arrays be finite, and files of one kind in one folder have one
    shape and type.

    Args:
        folder: of the recipe.
        names: of the files of the part.
        expected: names of all files with the number of frames of films, else 0; None if they are not known.

    Yields:
        Problems, each of which begins with a name.
    """
    if expected is not None:
        yield from (f"{name} is missing" for name in sorted(expected.keys() - set(names)))
        yield from (f"{name} does not belong to it" for name in sorted(set(names) - expected.keys()))
    forms: dict[tuple[PurePosixPath, str], dict[str, Any]] = {}
    for name in names:
        try:
            form, frames = form_of(folder / name)
        except (SpecsiaError, ValueError) as error:
            yield f"{name} cannot be decoded: {error}"
            continue
        path = PurePosixPath(name)
        forms.setdefault((path.parent, path.suffix), {})[name] = form
        if expected and expected.get(name, 0) not in (0, frames):
            yield f"{name} has {frames} frames, not {expected[name]}"
    for group in forms.values():
        ((usual, _),) = Counter(group.values()).most_common(1)
        yield from (f"{name} holds {form}, not {usual} as others" for name, form in group.items() if form != usual)


def form_of(path: Path) -> tuple[Any, int]:
    """Decode a file; returns what files of its kind share, such as shape and type, and the number of frames of a film.

    Raises:
        ValueError, SpecsiaError: if it is damaged.
        OSError: if it cannot be read.
    """
    if path.suffix == ".png":
        return as_stored(path.read_bytes()).shape, 0
    if path.suffix == ".mp4":
        shapes = Counter(frame.shape for frame in read_mp4(path)[1])
        return tuple(shapes), shapes.total()
    if path.suffix == ".json":
        return type(read_json(path, path.name)).__name__, 0
    if path.suffix in (".npy", ".npz"):
        return _form_of_arrays(path), 0
    return None, 0


def _form_of_arrays(path: Path) -> tuple[tuple[str, str, tuple[int, ...]], ...]:
    data = path.read_bytes()
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded.files}
    except (EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it has values that are no finite numbers")
    return tuple((key, str(array.dtype), array.shape) for key, array in arrays.items())
