"""Folders of trainings and adaptations, and which characters their models have seen; read without torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from specsia_build.errors import SpecsiaError, UsageError
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes

if TYPE_CHECKING:
    from specsia_build.dataset.pairs import Pair

RUN_FILE, SEEN_FILE, STATE, FOLDER = "run.json", "seen.json", "state.json", "checkpoints"

ADAPTED_FROM = "adapted_from"
"""What an adapted model's `RUN_FILE` has instead of the settings of a training."""

NAME = "pretrained"

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""The run that comes with the package, with its card beside it; `make pretrained` writes it."""


def checkpoints(run: Path) -> list[Path]:
    """Checkpoints of a run, the oldest first; their names are their steps, of seven digits or more."""
    found = [path for path in (run / FOLDER).glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name))


def find_run(where: str | Path) -> Path:
    """The folder of a run.

    Args:
        where: a folder (or one of its checkpoints), or the text `pretrained`; `./pretrained`, or a path, is a folder.

    Raises:
        UsageError: if a run lies in a folder of that name, so that either could be meant.
    """
    if where != NAME:
        return Path(where)
    if any((Path(NAME) / name).exists() for name in (FOLDER, STATE)):
        raise UsageError(
            f"'{NAME}' is the model that comes with the package, and there is a run in the folder {NAME} as well: "
            f"say ./{NAME} for the folder, or rename it"
        )
    return WEIGHTS


def run_name(run: Path) -> str:
    """What a run is called where it is recorded: what `find_run` takes."""
    return NAME if run == WEIGHTS else str(run)


Characters = Mapping[str, tuple[str, ...]]
"""Contents of the views of Y* (see `Pair.content`) by the character's id."""


def gathered(views: Iterable[tuple[str, str]]) -> Characters:
    """Contents by character, of pairs of a character's id and a view's content; both sorted."""
    found: dict[str, set[str]] = {}
    for character, digest in views:
        found.setdefault(character, set()).add(digest)
    return {character: tuple(sorted(found[character])) for character in sorted(found)}


@dataclass(frozen=True)
class Seen:
    """What a model has seen.

    Attributes:
        training: characters that it was trained on, by the dataset's configuration; None where that is not on record.
        validation: characters that its training was only watched by.
        adaptation: characters whose frontal pair it was adapted to.
    """

    training: Mapping[str, Characters] | None = None
    validation: Characters = field(default_factory=dict)
    adaptation: Characters = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether anything is on record that the model learnt from."""
        return self.training is not None or bool(self.adaptation)

    def among(self, characters: Characters) -> dict[str, str]:
        """Of some characters those that the model has learnt from, and the id under which it did.

        That is the character's own, or else that of another in some view of which Y* shows the same.
        """
        learnt = [*(self.training or {}).values(), self.adaptation]
        names = {name for of in learnt for name in of}
        owners = {digest: name for of in learnt for name, digests in of.items() for digest in digests}
        found = {}
        for name, digests in characters.items():
            known = name if name in names else next((owners[d] for d in digests if d in owners), None)
            if known is not None:
                found[name] = known
        return found

    def adapted_to(self, frontal: Pair) -> Seen:
        """The same after an adaptation."""
        views = [(name, digest) for name, digests in self.adaptation.items() for digest in digests]
        return Seen(self.training, self.validation, gathered([*views, (frontal.character_id, frontal.content)]))


def write_seen(run: Path, seen: Seen) -> None:
    """Write the record of a run.

    Raises:
        WriteError: if it cannot be written.
    """
    write_bytes(run / SEEN_FILE, json.dumps(asdict(seen), indent=1, ensure_ascii=False).encode())


def read_seen(run: Path) -> Seen:
    """The record of a run, of which nothing is known where it has none, as runs of earlier versions.

    Args:
        run: folder of a run, or of one of its checkpoints.

    Raises:
        SpecsiaError: if there is one that cannot be read.
    """
    path = (run.parent.parent if (run / STATE).is_file() else run) / SEEN_FILE
    if not path.is_file():
        return Seen()
    found = read_json(path)
    try:
        if not isinstance(found, dict) or found.keys() != {field.name for field in fields(Seen)}:
            raise ValueError("it lacks a part of the record")
        return msgspec.convert(found, Seen)
    except ValueError as error:
        raise SpecsiaError(f"{path} does not say which characters the model has seen: name another run") from error
