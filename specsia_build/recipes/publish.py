"""A recipe's folder on its way to a Hub: what of it is sent, and what stands against that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from specsia_build.dataset.licences import licence_problems
from specsia_build.dataset.local_files import LocalFile, listed, read_files, refuse, unfit
from specsia_build.dataset.schema import SUMS_FILE
from specsia_build.errors import SpecsiaError
from specsia_build.recipes.folder import OWN_FILES
from specsia_build.recipes.parts import read_parts

MOST_ENTRIES, MOST_FILES = 10_000, 100_000
"""In one folder, which a Hub refuses beyond, and in a repository, where it grows too slow to use."""


def read_recipe(folder: Path, advance: Callable[[int], None]) -> tuple[LocalFile, ...]:
    """The files that a recipe's folder lists, sorted by name, each read and found to be what `SHA256SUMS` says.

    Whatever else lies in the folder stays here.

    Args:
        folder: of the recipe.
        advance: called with the bytes that have been read.

    Raises:
        SpecsiaError: if a file is missing, has changed or must not be in it, or there are more than a Hub takes.
    """
    sums = listed(folder)
    names = sorted({*sums, SUMS_FILE})
    problems = [f"{name} is not listed in {SUMS_FILE}" for name in OWN_FILES if name not in names]
    problems += [f"{name} is missing" for name in names if not (folder / name).is_file()]
    problems += [problem for name in names if (problem := unfit(folder, name))]
    refuse(folder, problems)
    _refuse_crowds(folder, names)
    return read_files(folder, names, sums, advance)


def _refuse_crowds(folder: Path, names: Sequence[str]) -> None:
    most = max(Counter(PurePosixPath(name).parent for name in names).values(), default=0)
    if len(names) > MOST_FILES or most > MOST_ENTRIES:
        raise SpecsiaError(
            f"{folder} holds {len(names):,} files, up to {most:,} in one folder, where the Hub takes {MOST_FILES:,} "
            f"and {MOST_ENTRIES:,}: pack it with `tar` and send that with `hf upload`, or make fewer frames"
        )


def licences_against(folder: Path) -> tuple[str, ...]:
    """A clause for each licence of a recipe's characters that does not let it be passed on.

    Raises:
        SpecsiaError: if the parts cannot be read.
    """
    stated = {(part.character, part.license) for part in read_parts(folder)}
    return licence_problems(Counter(license_ for _, license_ in stated), "character")
