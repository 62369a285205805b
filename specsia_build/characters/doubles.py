"""Characters that are one mesh file, or one shape, under several names, which no split should part."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build.characters.character import SETTLED, Entry
from specsia_build.files.sources import is_file, source_digest
from specsia_build.rendering import joining
from specsia_build.rendering.mesh import Mesh

Shape: TypeAlias = tuple[float, ...]
"""How many triangles and points a mesh has, and how far from their middle its points lie; see `shape_of`."""

MOST_UNLIKE = 0.003
"""How far two shapes' points may differ in their distance from the middle, in the mean one; a breath moves more."""

MOST_UNCOUNTED = 0.01
"""Share of the triangles and points that one format may drop and another keep."""

_SHARES = np.linspace(0.0, 1.0, 17)
_CELLS = 10_000

DigestsOf: TypeAlias = Callable[[Sequence[tuple[Path, Path]]], Iterable[str | None]]
"""Gives the SHA-256 of each of some files within their roots, None where one cannot be read."""


def _digests(files: Sequence[tuple[Path, Path]]) -> Iterator[str | None]:
    """Digests of the files that are as large as another; the others are like none."""
    sizes = [path.stat().st_size if is_file(path) else None for path, _ in files]
    alike = Counter(sizes)
    for (path, root), size in zip(files, sizes, strict=True):
        yield source_digest(path, root) if size is not None and alike[size] > 1 else None


def same_files(entries: Iterable[Entry], digests: DigestsOf = _digests) -> list[tuple[str, ...]]:
    """Ids of characters whose mesh files hold the same bytes, in the order of `entries`; not of 3DBiCar folders.

    Args:
        entries: of a source.
        digests: of files within their roots; by default those of one size are read.
    """
    single = [entry for entry in entries if entry.problem is None and entry.format != "3dbicar"]
    first, alike = dict[str, str](), defaultdict[str, list[str]](list)
    for entry, digest in zip(single, digests([(entry.path, entry.within) for entry in single]), strict=True):
        # Of a million files hardly one is like another, so that no list is made of one alone.
        if digest is not None and first.setdefault(digest, entry.id) != entry.id:
            alike[digest].append(entry.id)
    return [(first[digest], *ids) for digest, ids in alike.items()]


def shape_of(mesh: Mesh) -> Shape:
    """Numbers that a mesh keeps in every format, turn and size, and that another pose or figure changes.

    How many triangles and how many points it has, points at one place counted once, and 17 quantiles of the points'
    distances from their middle, in the root of their mean square.
    """
    points = mesh.vertices[mesh.used].astype(np.float64)
    points -= points.min(axis=0)
    cells = np.rint(points * (_CELLS / max(float(points.max()), 1e-300))).astype(np.int64)
    _, first = np.unique(cells @ (1, _CELLS + 1, (_CELLS + 1) ** 2), return_index=True)
    distances = np.linalg.norm(points[first] - points[first].mean(axis=0), axis=1)
    scale = max(float(np.sqrt((distances**2).mean())), 1e-300)
    spread = np.quantile(distances / scale, _SHARES)
    return (len(mesh.faces), len(first), *np.round(spread, 5).tolist())


def same_shapes(entries: Iterable[Entry], shapes: Sequence[Shape]) -> list[tuple[str, ...]]:
    """Ids of characters that are one shape, each such set in the order of `entries`; not of 3DBiCar folders.

    Args:
        entries: of a source.
        shapes: of each, as `shape_of` gives them; empty where there is none.
    """
    described = zip(entries, shapes, strict=True)
    shaped = [(entry.id, shape) for entry, shape in described if shape and entry.format not in SETTLED]
    if not shaped:
        return []
    # One of several equal shapes stands for all, or a thousand copies would be a million pairs.
    values, which = np.unique(np.array([shape for _, shape in shaped], np.float64), axis=0, return_inverse=True)
    near: NDArray[np.intp] = scipy.spatial.cKDTree(values[:, 2:]).query_pairs(
        MOST_UNLIKE, np.inf, output_type="ndarray"
    )
    counts = values[near][:, :, :2]
    near = near[(np.ptp(counts, axis=1) <= MOST_UNCOUNTED * counts.max(axis=1)).all(axis=1)]
    groups = joining.joined(near[:, 0], near[:, 1], len(values))
    alike = defaultdict[int, list[str]](list)
    for (character_id, _), group in zip(shaped, groups[which.ravel()].tolist(), strict=True):
        alike[group].append(character_id)
    return [tuple(ids) for ids in alike.values() if len(ids) > 1]
