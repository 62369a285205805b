"""Checks of a written part: its files, and what they decode to."""

import io
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from specsia_build.errors import SpecsiaError
from specsia_build.files.records import read_json
from specsia_build.layouts.part import Written
from specsia_build.pictures.films import read_mp4
from specsia_build.pictures.sheets import as_stored

# Frames of a part that are read, at most, so that a false number costs no memory
MOST_PICTURES = 100_000
MOST_BYTES = 1 << 28  # Size of an unpacked array, at most; layers of frames are far smaller


def check_part(folder: Path, part: Written, expected: Mapping[str, int] | None) -> Iterator[str]:
    """Check the files of a part, all of which exist; the folder may come from somebody else.

    The names must be the `expected` ones, see `Layout.expected`; pictures, arrays, films and JSON must be
    decodable, and files of one kind in one folder have one shape and type. Yields problems that begin with
    the name of a file, such as ``a-walk-00/mask/0003.png is missing``.
    """
    if expected is not None:
        yield from check_names(part, expected)
    forms: dict[tuple[PurePosixPath, str], dict[str, Any]] = {}
    for name in part.files:
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
        strange = {name: form for name, form in group.items() if form != usual}
        yield from (f"{name} holds {form}, not {usual} as others" for name, form in strange.items())


def check_names(part: Written, expected: Collection[str]) -> Iterator[str]:
    """Yield the expected names that a part lacks, and the names that are not expected."""
    yield from (f"{name} is missing" for name in sorted({*expected} - part.files.keys()))
    yield from (f"{name} does not belong to it" for name in sorted(part.files.keys() - {*expected}))


def form_of(path: Path) -> tuple[Any, int]:
    """Decode a file; returns what files of its kind share, such as shape and type, and a film's frame count.

    Raises ValueError or SpecsiaError if it is damaged.
    """
    if path.suffix == ".png":
        return as_stored(path.read_bytes()).shape, 0
    if path.suffix == ".mp4":
        shapes = Counter(frame.shape for frame in read_mp4(path)[1])
        return tuple(shapes), shapes.total()
    if path.suffix == ".json":
        return type(read_json(path, path.name)).__name__, 0
    if path.suffix not in (".npy", ".npz"):
        return None, 0
    data = path.read_bytes()
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                    raise ValueError(f"it unpacks to more than {MOST_BYTES} bytes")
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        arrays = {"": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (EOFError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it has values that are not finite")
    return tuple((key, str(array.dtype), array.shape) for key, array in arrays.items()), 0
