"""Replace a dataset by a finished one, so that a kill leaves one of the two whole.

Only the files that `SHA256SUMS` of the old dataset lists are removed; other files in its folder are kept.
"""

from __future__ import annotations

import os
from pathlib import Path

from specsia_build.dataset.checksums import parse_sums
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError, some
from specsia_build.ownership import listed_below, remove_empty


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def listed_names(folder: Path) -> set[str]:
    """Names of the files that a dataset's `SHA256SUMS` lists, and itself; none without one."""
    try:
        listed, _ = parse_sums((folder / SUMS_FILE).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return set()
    return {SUMS_FILE, *listed}


def foreign_names(folder: Path) -> list[str]:
    """Names of what lies in a dataset's folder and is not of the dataset, in order."""
    own = listed_names(folder)
    # Its folders may be empty, where files are gone that lay in them.
    own |= {str(above) for name in own for above in Path(name).parents if _is_folder(folder / above)}
    return [name for name in listed_below(folder) if name not in own]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def remove(folder: Path) -> list[str]:
    """Remove a dataset; returns the names of what is not of it and stays."""
    # The list comes last, so that after a removal that was killed it still tells what is the dataset's.
    for name in sorted(listed_names(folder), key=lambda name: name == SUMS_FILE):
        if not (folder / name).is_dir():
            (folder / name).unlink(missing_ok=True)
    remove_empty(folder)
    return listed_below(folder)


def recover(folder: Path) -> None:
    """Finish what `put` was about to do when it was killed, or undo it where the new dataset is not in place."""
    aside = _aside(folder)
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
        elif _is_folder(old):
            old.rmdir()
        else:
            old.unlink()
    remove_empty(aside)


def _in_the_way(name: str, finished: Path) -> bool:
    """Whether a dataset has a file of this name, or in place of one of its folders."""
    above = (finished / parent for parent in Path(name).parents if parent != Path())
    return os.path.lexists(finished / name) or any(path.is_file() for path in above)


def put(finished: Path, folder: Path) -> list[str]:
    """Replace a dataset by a finished one in the same parent folder.

    The old one is aside for a moment, from where `recover` brings it back after a kill.

    Returns:
        Names of files that are not of the old dataset, which are kept.

    Raises:
        SpecsiaError: if such a file has the name of one of the finished dataset's; nothing is changed then.
    """
    recover(folder)
    if not folder.exists():
        finished.replace(folder)
        return []
    foreign = foreign_names(folder)
    if taken := [name for name in foreign if _in_the_way(name, finished)]:
        raise SpecsiaError(
            f"{folder} holds {some(taken)}, which its {SUMS_FILE} does not list, so the dataset does not replace it: "
            "move that elsewhere and give the same command again"
        )
    folder.replace(_aside(folder))
    finished.replace(folder)
    recover(folder)
    return foreign
