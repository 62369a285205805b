"""The frozen set of `specsia benchmark`: its characters by SHA-256 and address, and methods scored on them.

Every character is in the split ``test``: nothing may be trained on them. Procedural ones follow from a seed.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from specsia_build import __version__, terminal
from specsia_build.arrays import Pixels
from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import open_source
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dravie.evaluate.methods import Method
from specsia_build.dravie.repair.enhance import dataset_frames
from specsia_build.dravie.runs import SeenCharacters
from specsia_build.errors import SpecsiaError, UsageError, plural
from specsia_build.files.digests import file_digest
from specsia_build.files.writing import write_bytes, writing
from specsia_build.folders import refuse_foreign_folder
from specsia_build.layouts.card import table
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.pictures.sheets import rgba
from specsia_build.pipeline.build import build
from specsia_build.pipeline.run import effective
from specsia_build.stages.registry import character_stages

SET_SPLIT = "test"
_SET = Path(__file__).with_name("set.yaml")
_MANIFEST = "characters.jsonl"
_CARD = "benchmark.md"


@dataclass(frozen=True)
class FrozenCharacter:
    """A character of the set.

    Attributes:
        address: where the same bytes lie, else the page of their maker.
        entry: line of a manifest, without `id` and `split`.
        files: SHA-256 of each file by its path below the folder of characters.
    """

    id: str
    address: str
    entry: Mapping[str, Any]
    files: Mapping[str, str]


@dataclass(frozen=True)
class FrozenSet:
    """The set; fields of `set.yaml`."""

    version: int
    size: int  # Pixels of a side of each view
    views: int
    backends: tuple[str, ...]
    seed: int
    samples: Mapping[str, int]  # `count` and `seed` of procedural characters
    characters: tuple[FrozenCharacter, ...]


def frozen_set() -> FrozenSet:
    """Read the set that this version of the package scores on."""
    return msgspec.convert(yaml.safe_load(_SET.read_text(encoding="utf-8")), FrozenSet)


def make_set(frozen: FrozenSet, characters: Path | None, out: Path) -> OpenedDataset:
    """Build the set's pairs in a folder, or go on where that stopped; returns the dataset.

    `characters` holds the real characters' files; None if `out` has a copy. Raises `UsageError` if one is
    missing or has other bytes, and `SpecsiaError` if one cannot be built.
    """
    refuse_foreign_folder(out, "benchmark", _CARD)
    write_bytes(out / _CARD, card(frozen).encode())
    source = out / "source"
    if characters is not None or not (source / _MANIFEST).is_file():
        _write_source(frozen, characters or source, source)
    settings = {name: getattr(frozen, name) for name in ("size", "views", "seed")}
    settings |= {"backends": list(frozen.backends), "min_iou": 0.0, "max_failures": "0"}
    config, paths = effective(str(source / _MANIFEST), out / "run", None, settings, False)
    summary = build(config, paths, (*(stage.name for stage in character_stages(config)), "pack"), False)
    if summary.stopped is not None or summary.failed:
        raise SpecsiaError(f"the set could not be built whole: see {paths.failures}")
    return open_dataset(str(paths.dataset))


def _write_source(frozen: FrozenSet, characters: Path, source: Path) -> None:
    """Copy the real characters whose bytes are right, write the procedural ones, and a manifest of both."""
    lines = []
    for character in frozen.characters:
        for name, digest in character.files.items():
            path = characters / name
            if not path.is_file():
                raise UsageError(f"there is no {path}: get it from {character.address}, or name --characters")
            if file_digest(path) != digest:
                raise UsageError(f"{path} is another file than the set's, whose SHA-256 is {digest}")
            if path != source / name:
                with writing(source / name):
                    (source / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, source / name)
        lines.append({"id": character.id, "split": SET_SPLIT, **character.entry})
    spec = f"sample:{frozen.samples['count']}@{frozen.samples['seed']}"
    for entry in open_source(spec, source).entries:
        provide(entry)
        known = {"license": entry.license, "source": entry.source}
        known["path"] = entry.path.relative_to(source).as_posix()
        lines.append({"id": f"sample-{entry.id}", "split": SET_SPLIT, **known})
    terminal.say(f"{len(lines)} characters are in {source}")
    write_bytes(source / _MANIFEST, "".join(json.dumps(line) + "\n" for line in lines).encode())


def card(frozen: FrozenSet) -> str:
    """Text of the card: the set's characters, licences and addresses, and how it is made and scored."""
    rows = [
        (f"`{c.id}`", c.entry["license"], c.entry["source"], c.address, f"`{next(iter(c.files.values()))}`")
        for c in frozen.characters
    ]
    listed = table(("id", "licence", "maker", "address", "SHA-256"), rows)
    count, seed = frozen.samples["count"], frozen.samples["seed"]
    return f"""\
# SPECSIA benchmark, version {frozen.version}

Pairs of {len(rows)} characters whose files may be passed on, and of {count} procedural ones (seed {seed},
CC0-1.0), by {", ".join(frozen.backends)}: {frozen.views} views of {frozen.size} x {frozen.size} pixels, seed
{frozen.seed}, made by specsia {__version__}. All are in the split `{SET_SPLIT}`: train on none of them.

{listed}

`run/dataset` holds the pairs. A method may use `color`, `mask`, `pos` and `edge` of every view, and `gt` of
view 0. Its frames are `BACKEND/{SET_SPLIT}/UID.png`, RGBA, as `specsia enhance` writes them, and
`specsia benchmark FRAMES` scores them. Cite the version of the set and of specsia beside the numbers.
"""


def method_of_frames(folder: Path, label: str, dataset: OpenedDataset) -> Method:
    """A method whose results are the files of a folder, named as `enhance` names those of a dataset.

    Raises UsageError if the folder lacks a frame.
    """
    names = [f"{frame.name}.png" for frame in dataset_frames(dataset, SET_SPLIT).each()]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        lacks = f"lacks {len(missing)} of {plural(len(names), 'frame')}, {missing[0]} first"
        raise UsageError(f"{folder} {lacks}: give it one for each row of the set")

    def read(pair: Pair) -> Pixels:
        backend = (pair.backend or "") if len(dataset.configs) > 1 else ""
        return _frame(folder / backend / SET_SPLIT / f"{pair.uid}.png", pair)

    return Method(label, lambda _: read, seen=SeenCharacters(training={}))


def _frame(path: Path, pair: Pair) -> Pixels:
    try:
        picture = rgba(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SpecsiaError(f"{path} cannot be read: {error}") from error
    if picture.shape != pair.z.shape:
        height, width = picture.shape[:2]
        raise SpecsiaError(f"{path} has {width} x {height} pixels, unlike the set's {pair.z.shape[0]}")
    return picture


def label_of(folder: Path, name: str | None) -> str:
    """Label of a folder's method: its `name`, else the folder's; a UsageError for one of a baseline."""
    label = name or folder.resolve().name
    if label.startswith(("DraViE", UNREPAIRED, "line", "look-up", "sample-wise")):
        raise UsageError(f"'{label}' is the name of another row: give --name")
    return label
