"""`specsia repair FOLDER`: every drawing of a folder, each into a folder of its own."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from specsia_build import __version__, terminal
from specsia_build.characters.character import unused_id
from specsia_build.characters.sources import open_source
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.names import folded_name
from specsia_build.files.records import remembered_json
from specsia_build.files.writing import require_writable, write_bytes, write_trouble
from specsia_build.folders import refuse_foreign_folder
from specsia_build.look.repair import LIST, REPAIR_RECORD
from specsia_build.repairing.files import is_drawing
from specsia_build.repairing.settings import RepairSettings
from specsia_build.repairing.writing import inputs_of, run_repair
from specsia_build.warning import Warning, recorded

OF_ONE = ("mask", "mesh", "back", "side", "joints")  # Options that belong to one drawing


@dataclass
class WrittenRepairs:
    """What became of the drawings of a folder, by the names of their folders.

    Attributes:
        repaired, kept: names of those that were repaired now, and earlier with the same settings.
        failed: a sentence for each that could not be repaired.
        warnings: about each that was.
        back_guessed: whether `--back` would show what was guessed in any of them.
    """

    repaired: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, Sequence[Warning]] = field(default_factory=dict)
    back_guessed: bool = False


def drawings_in(subject: str | Path) -> dict[str, Path] | None:
    """Drawings of a folder by names of the folders to write, or None for a subject that is no folder.

    A folder with characters (3DBiCar or meshes) is not one of drawings. A name is that of the file without
    its suffix, or with it where several files share it.
    """
    folder = Path(subject)
    if str(subject).startswith("sample:") or not folder.is_dir():
        return None
    files = sorted(path for path in folder.iterdir() if is_drawing(path))
    files = [path for path in files if not path.name.startswith(".")]
    if not files or _holds_characters(folder):
        return None
    shared = Counter(folded_name(path.stem) for path in files)
    # The list of repairs lies beside the folders.
    taken, names = {LIST}, {}
    for path in files:
        single = shared[folded_name(path.stem)] == 1
        names[unused_id(path.stem if single else path.name.replace(".", "-"), taken)] = path
    return names


def _holds_characters(folder: Path) -> bool:
    with TemporaryDirectory(prefix="specsia-") as scratch:
        try:
            return bool(open_source(str(folder), Path(scratch)).entries)
        except UsageError:
            return False


def repair_folder(
    drawings: Mapping[str, Path], settings: RepairSettings, out: Path, device: str = "auto"
) -> WrittenRepairs:
    """Repair drawings one after the other, each into the folder of its name; a bad one does not stop others.

    A drawing that was repaired before, the same bytes with the same settings, is left as it is. Raises
    `UsageError` if an option belongs to one drawing, or the folder holds something else, and `WriteError` if
    the disk is full.
    """
    if given := [
        name for name in OF_ONE if getattr(settings, name, None) or getattr(settings.reading, name, None)
    ]:
        raise UsageError(
            f"--{given[0]} applies to one drawing: repair that drawing alone, or leave the option out"
        )
    refuse_foreign_folder(out, "repairs of a folder", LIST)
    require_writable(out)
    result = WrittenRepairs()
    # Marks the folder, so that a stopped command can be continued.
    _write_list(out, drawings, result)
    for number, (name, path) in enumerate(drawings.items(), 1):
        record = _finished(out / name, path, settings)
        if record is not None:
            result.kept.append(name)
            result.warnings[name] = recorded(record.get("coded", record["warnings"]))
            result.back_guessed |= bool(record["back_guessed"])
            continue
        terminal.say(f"drawing {number} of {len(drawings)}: {name}")
        _repair_one(name, path, settings, out, device, result)
    _write_list(out, drawings, result)
    return result


def _finished(folder: Path, drawing: Path, settings: RepairSettings) -> Mapping[str, Any] | None:
    """The record of a repair of the same drawing with the same settings; None if there is none."""
    record = remembered_json(folder / REPAIR_RECORD)
    wanted = {"specsia": __version__, "settings": settings.record(), "inputs": inputs_of(drawing, settings)}
    # Compared as JSON, which has no tuples.
    is_same = isinstance(record, dict) and all(
        json.dumps(record.get(key), sort_keys=True) == json.dumps(value, sort_keys=True)
        for key, value in wanted.items()
    )
    return record if is_same else None


def _repair_one(
    name: str, path: Path, settings: RepairSettings, out: Path, device: str, result: WrittenRepairs
) -> None:
    try:
        repaired = run_repair(path, settings, out / name, device)
    except Exception as error:
        if (trouble := write_trouble(error)) is not None:
            raise trouble from error
        result.failed[name] = str(error)
        if not isinstance(error, SpecsiaError):
            result.failed[name] = f"a bug in specsia: {brief(f'{type(error).__name__}: {error}')}"
            for line in traceback.format_exc().splitlines():
                terminal.say(line)
        return
    result.repaired.append(name)
    result.warnings[name] = repaired.warnings
    result.back_guessed |= repaired.back_guessed


def _write_list(out: Path, drawings: Mapping[str, Path], result: WrittenRepairs) -> None:
    files = {name: path.name for name, path in drawings.items()}
    record = {"specsia": __version__, "drawings": files, "failed": result.failed}
    write_bytes(out / LIST, json.dumps(record, indent=1, ensure_ascii=False).encode())
