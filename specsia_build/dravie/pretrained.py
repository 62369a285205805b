"""What a run is called: a folder, or `pretrained`, the model that comes with the package."""

from __future__ import annotations

from pathlib import Path

from specsia_build.errors import UsageError

NAME = "pretrained"

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""A run like any other, with its card beside it; `make pretrained` writes it."""

_OF_A_RUN = ("checkpoints", "state.json")
"""What `network.checkpoint` finds a model by; named here again, as that cannot be imported without torch."""


def find_run(where: str | Path) -> Path:
    """The folder of a run.

    Args:
        where: a folder (or one of its checkpoints), or the text `pretrained`; `./pretrained`, or a path, is a folder.

    Raises:
        UsageError: if a run lies in a folder of that name, so that either could be meant.
    """
    if where != NAME:
        return Path(where)
    if any((Path(NAME) / name).exists() for name in _OF_A_RUN):
        raise UsageError(
            f"'{NAME}' is the model that comes with the package, and there is a run in the folder {NAME} as well: "
            f"say ./{NAME} for the folder, or rename it"
        )
    return WEIGHTS


def run_name(run: Path) -> str:
    """What a run is called where it is recorded: what `find_run` takes."""
    return NAME if run == WEIGHTS else str(run)
