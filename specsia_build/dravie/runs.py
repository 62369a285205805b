"""Folders of trainings and adaptations: records, and the characters that models have seen. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from specsia_build.dravie.config import TrainConfig, differences, train_from_json
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes
from specsia_build.folders import refuse_foreign_folder

if TYPE_CHECKING:
    from specsia_build.dataset.pairs import Pair

RUN_FILE = "run.json"
SEEN_FILE = "seen.json"
STATE_FILE = "state.json"
CHECKPOINTS_FOLDER = "checkpoints"
ADAPTED_FROM = "adapted_from"  # Key in the record of an adapted model, which has no settings of a training
NAME = "pretrained"
# The run of that name, which `make pretrained` writes
SHIPPED_RUN = Path(__file__).resolve().parent / "weights"


def damaged(path: Path, error: Exception) -> SpecsiaError:
    """Return the error about a file of a run that cannot be used."""
    return SpecsiaError(f"{path} is damaged, or of another model or version ({brief(str(error), 120)})")


def checkpoints(run: Path) -> list[Path]:
    """List the checkpoints of a run, the oldest first; their names are their steps."""
    paths = [path for path in (run / CHECKPOINTS_FOLDER).glob("*") if path.name.isdecimal() and path.is_dir()]
    return sorted(paths, key=lambda path: int(path.name))


def find_run(where: str | Path) -> Path:
    """Return the folder of a run; `pretrained` is the model of the package, and `./pretrained` a folder.

    Raises `UsageError` if a folder of that name holds a run as well.
    """
    if where != NAME:
        return Path(where)
    if any((Path(NAME) / name).exists() for name in (CHECKPOINTS_FOLDER, STATE_FILE)):
        raise UsageError(
            f"'{NAME}' is the package's model, and a folder {NAME} holds a run: say ./{NAME}, or rename it"
        )
    return SHIPPED_RUN


def run_name(run: Path) -> str:
    """Return the inverse of `find_run`."""
    return NAME if run == SHIPPED_RUN else str(run)


def _read_record(run: Path) -> tuple[dict[str, Any], TrainConfig | None]:
    """Read `run.json`, and the settings of the training in it; None for an adapted model, which has none."""
    try:
        record = msgspec.convert(read_json(run / RUN_FILE), dict[str, Any])
        return record, None if ADAPTED_FROM in record else train_from_json(record.get("train", {}))
    except (SpecsiaError, ValueError) as error:
        raise damaged(run / RUN_FILE, error) from error


def read_run_config(run: Path) -> TrainConfig | None:
    """Read the settings of a training; None if the folder holds none, such as an adapted model's."""
    return _read_record(run)[1] if (run / RUN_FILE).is_file() else None


def write_record(
    run: Path, config: TrainConfig, decisive: Mapping[str, Any], environment: Mapping[str, Any], resume: bool
) -> None:
    """Write the record of a training, or check that a training to resume has the same settings.

    `decisive` settings decide the weights, and must be the same; `environment` is for the record alone.
    Raises `UsageError` if the folder holds something else.
    """
    path = run / RUN_FILE
    refuse_foreign_folder(run, "training", RUN_FILE)
    if not path.is_file():
        write_bytes(path, json.dumps({**decisive, **environment}, indent=1).encode())
        return
    if not resume:
        raise UsageError(
            f"{run} already holds a training: add --resume to continue it, or name another --out"
        )
    record, earlier = _read_record(run)
    other = ["adapted to a character"] if earlier is None else differences(earlier, config)
    other += [key for key in decisive if key != "train" and record.get(key) != decisive[key]]
    if other:
        raise UsageError(
            f"{run} holds a training of other settings ({', '.join(other)}): give those of {path} or "
            "another --out"
        )


_Characters = Mapping[str, tuple[str, ...]]  # Contents of the views of Y*, see `Pair.content`, by id


def group_contents(views: Iterable[tuple[str, str]]) -> _Characters:
    """Group pairs of a character's id and a view's content by character; both sorted."""
    grouped: dict[str, set[str]] = {}
    for character, content in views:
        grouped.setdefault(character, set()).add(content)
    return {character: tuple(sorted(grouped[character])) for character in sorted(grouped)}


@dataclass(frozen=True)
class SeenCharacters:
    """Characters that a model has seen.

    Attributes:
        training: by the dataset's configuration; None if there is no record.
        validation: characters that its training only validated on.
        adaptation: characters whose frontal pair it was adapted to.
    """

    training: Mapping[str, _Characters] | None = None
    validation: _Characters = field(default_factory=dict)
    adaptation: _Characters = field(default_factory=dict)

    def among(self, characters: _Characters) -> dict[str, str]:
        """Find the characters that the model has learnt from, by id or a view's content, with its own ids."""
        learnt = [*(self.training or {}).values(), self.adaptation]
        owners = {view: name for group in learnt for name, contents in group.items() for view in contents}
        # Ids take precedence over contents.
        owners |= {name: name for group in learnt for name in group}
        known: dict[str, str] = {}
        for name, contents in characters.items():
            matches = [owners[key] for key in (name, *contents) if key in owners]
            known |= {name: matches[0]} if matches else {}
        return known

    def adapted_to(self, frontal: Pair) -> SeenCharacters:
        """Return the record with a frontal pair added to `adaptation`."""
        views = [(name, content) for name, contents in self.adaptation.items() for content in contents]
        return replace(self, adaptation=group_contents([*views, (frontal.character_id, frontal.content)]))


def write_seen(run: Path, seen: SeenCharacters) -> None:
    """Write the record of seen characters into a run."""
    write_bytes(run / SEEN_FILE, json.dumps(asdict(seen), indent=1, ensure_ascii=False).encode())


def read_seen(run: Path) -> SeenCharacters:
    """Read which characters the model of a run or checkpoint has seen; an empty record if there is none."""
    path = (run.parent.parent if (run / STATE_FILE).is_file() else run) / SEEN_FILE
    if not path.is_file():
        return SeenCharacters()
    try:
        record = msgspec.convert(read_json(path), dict[str, Any])
        if record.keys() != asdict(SeenCharacters()).keys():
            raise ValueError("it lacks a part of the record")
        return msgspec.convert(record, SeenCharacters)
    except (SpecsiaError, ValueError) as error:
        raise damaged(path, error) from error
