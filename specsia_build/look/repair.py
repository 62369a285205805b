"""The folder of a repair, or a folder of many, as a gallery of the frames before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.dataset.schema import COLOR, MASK, POS
from specsia_build.errors import SpecsiaError, plural
from specsia_build.files.records import read_json
from specsia_build.frame import view_yaws
from specsia_build.look.items import FailedItem, Gallery, Item, LayerPngs, Side

REPAIR_RECORD, LIST = "repair.json", "repairs.json"  # Record of a repair, and of a folder of repairs
_TURN = "turn"  # Stem of the three films
COMPARE = "compare.webp"  # Film of before and after
REPAIR_SHEET = "sheet.png"
CHARACTER_FILE = "character.glb"  # The figure, to open elsewhere
AVATAR_FILE = "character.vrm"  # The same of a person
FRAMED_DRAWING = "drawing.png"  # The drawing in the frame
FITTED_MODEL = "model"
JOINTS_FILE = "joints.json"
REPAIR_FILMS = tuple(f"{_TURN}{end}" for end in (".webp", ".gif", ".mp4"))
REPAIRED = "repaired"
REPAIR_LAYERS = (COLOR, MASK, POS, REPAIRED)  # Folders of pictures; `specsia enhance` reads the first three
BEFORE, AFTER = "before", "after"  # Sides of the gallery


def picture(folder: Path, layer: str, number: int) -> Path:
    """File of a frame's picture."""
    return folder / layer / f"{number:04d}.png"


def holds_repairs(folder: Path) -> bool:
    """Whether a folder is one that `specsia repair` wrote, of one drawing or of many."""
    return (folder / LIST).is_file() or (folder / REPAIR_RECORD).is_file()


def repairs_in(folder: Path) -> dict[str, Path]:
    """Folders of repairs by name: the folder itself, or those in a folder of repairs."""
    if (folder / REPAIR_RECORD).is_file():
        return {folder.absolute().name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{REPAIR_RECORD}"))}


@dataclass(frozen=True)
class RepairReader:
    """Reads the frames of repairs, by the names of their folders."""

    folders: Mapping[str, Path]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> LayerPngs:
        """See `Reader`."""
        pictures: dict[str, list[bytes]] = {}
        for layer in layers:
            stored = REPAIRED if side == AFTER else layer
            pictures[layer] = [_read(picture(self.folders[item], stored, frame)) for frame in frames]
        return pictures


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecsiaError(f"{path} cannot be read ({error.strerror}): run `specsia repair` again") from error


def read_record(folder: Path) -> dict[str, Any]:
    """Read the record of a repair; raises SpecsiaError if it is damaged or of an earlier version."""
    record = read_json(folder / REPAIR_RECORD)
    if not isinstance(record, dict) or not {"name", "frames", "warnings", "settings"} <= record.keys():
        problem = f"{folder / REPAIR_RECORD} is damaged, or of an earlier version"
        raise SpecsiaError(f"{problem}: run `specsia repair` again")
    return record


def gallery_of_repairs(where: str) -> Gallery:
    """Make the gallery of a repair, or of all in a folder; drawings without a repair are listed as failed."""
    folders = repairs_in(Path(where))
    items = tuple(_item(name, read_record(folders[name])) for name in sorted(folders, key=id_order_key))
    failed = _failed(Path(where)) if (Path(where) / LIST).is_file() else ()
    count = plural(len(items), "drawing")
    return Gallery(
        kind="repair",
        where=where,
        title=Path(where).absolute().name,
        lead=f"{count} repaired by `specsia repair`: the reconstruction before, and after.",
        moving=False,
        items=items,
        failed=failed,
        reader=RepairReader(folders),
    )


def _item(name: str, record: Mapping[str, Any]) -> Item:
    frames = int(record["frames"])
    return Item(
        id=name,
        character=str(record["name"]),
        split="",
        frames=frames,
        sides={name: Side(name, (COLOR,)) for name in (AFTER, BEFORE)},
        yaws=tuple(view_yaws(frames)),
        warnings=tuple(map(str, record["warnings"])),
    )


def _failed(folder: Path) -> tuple[FailedItem, ...]:
    failures = read_json(folder / LIST)
    sentences = failures.get("failed") if isinstance(failures, dict) else None
    if not isinstance(sentences, dict):
        raise SpecsiaError(f"{folder / LIST} is damaged: run `specsia repair` again")
    named = sorted(sentences.items())
    return tuple(FailedItem(name, name, "repair", None, str(sentence)) for name, sentence in named)
