"""Score folders of frames on the frozen set, beside baselines."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from specsia_build.arrays import Pixels
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dravie.benchmark.frozen import SET_SPLIT
from specsia_build.dravie.data.frames import DrawnPair
from specsia_build.dravie.evaluate.methods import Method
from specsia_build.dravie.repair.enhance import dataset_frames
from specsia_build.dravie.runs import SeenCharacters
from specsia_build.errors import SpecsiaError, UsageError, plural
from specsia_build.look.evaluation import UNREPAIRED
from specsia_build.pictures.sheets import rgba


def method_of_frames(folder: Path, label: str, dataset: OpenedDataset) -> Method:
    """A method whose results are the files of a folder, named as `enhance` names those of a dataset.

    Raises UsageError if the folder lacks a frame.
    """
    names = [f"{frame.name}.png" for frame in dataset_frames(dataset, SET_SPLIT).each()]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        lacks = f"lacks {len(missing)} of {plural(len(names), 'frame')}, {missing[0]} first"
        raise UsageError(f"{folder} {lacks}: give it one for each row of the set")

    def fit(_: DrawnPair) -> Callable[[Pair], Pixels]:
        several = len(dataset.configs) > 1
        return partial(_frame, lambda pair: folder / (pair.backend or "" if several else "") / SET_SPLIT)

    return Method(label, fit, seen=SeenCharacters(training={}))


def _frame(place: Callable[[Pair], Path], pair: Pair) -> Pixels:
    path = place(pair) / f"{pair.uid}.png"
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
