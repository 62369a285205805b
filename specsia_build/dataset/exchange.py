"""Replace a packed dataset by a finished one.

Only files that `SHA256SUMS` of the old dataset lists are replaced or removed; other files stay.
"""

from __future__ import annotations

import os
from pathlib import Path

from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, some
from specsia_build.folders import listed_below, remove_empty


def listed_names(folder: Path) -> set[str]:
    """Names of the files that a dataset's `SHA256SUMS` lists, and its own; none without that file."""
    try:
        sums, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()
    return {SUMS_FILE, *sums}


def remove(folder: Path) -> list[str]:
    """Remove a dataset; returns the names of other files in its folder, which stay."""
    # The list is removed last, so that a removal that was killed can be repeated.
    for name in sorted(listed_names(folder), key=lambda name: name == SUMS_FILE):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
    return listed_below(folder)


def recover(folder: Path) -> None:
    """Finish a `put` that was killed, or undo it if the new dataset is not in place."""
    aside = folder.with_name(f".{folder.name}.replaced")
    if not aside.is_dir():
        return
    if not folder.exists():
        aside.replace(folder)
        return
    for name in remove(aside):
        old, new = aside / name, folder / name
        if not os.path.lexists(new):
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
        elif old.is_symlink() or not old.is_dir():
            old.unlink()
    remove_empty(aside)


def put(finished: Path, folder: Path) -> list[str]:
    """Replace a dataset by a finished one in the same parent folder; returns names of other files, which stay.

    A kill leaves one of the two whole: the old one is renamed first, and `recover` brings it back.
    """
    recover(folder)
    if not folder.exists():
        finished.replace(folder)
        return []
    own = listed_names(folder)
    # A folder of the dataset counts as its own when its files are gone.
    own |= {str(parent) for name in own for parent in Path(name).parents if (folder / parent).is_dir()}
    own -= {name for name in own if (folder / name).is_symlink() and (folder / name).is_dir()}
    foreign = [name for name in listed_below(folder) if name not in own]
    taken = [
        name
        for name in foreign
        if os.path.lexists(finished / name) or any((finished / parent).is_file() for parent in Path(name).parents)
    ]
    if taken:
        raise SpecsiaError(
            f"{folder} holds {some(taken)}, which its {SUMS_FILE} does not list, so the dataset does not replace it: "
            "move that elsewhere and run the same command again"
        )
    folder.replace(folder.with_name(f".{folder.name}.replaced"))
    finished.replace(folder)
    recover(folder)
    return foreign
