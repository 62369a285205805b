"""One project's loader on a layout's folder, in a process of its own, without this project's package.

python -m benchmarks.loaders.reading MODULE FOLDER CHECKOUT FOUND.json
"""

import importlib
import importlib.util
import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

SHOWN = 6


class WrongError(Exception):
    """A loader misreads a folder; the message says how."""


@dataclass(frozen=True)
class Read:
    """Result of one loader."""

    loader: str  # Its class
    items: int  # That it finds in the folder
    batch: Mapping[str, Any]  # Arrays of one batch by name
    checked: Sequence[str]  # Sentences that held

    def row(self, stubs: Sequence[str]) -> dict[str, str]:
        arrays = [f"{name} {seen(array)}" for name, array in self.batch.items() if hasattr(array, "shape")]
        without = [f"stubs for {', '.join(stubs)}"] if stubs else []
        read = f"{self.items} items; " + "; ".join(arrays[:SHOWN])
        return {"loader": self.loader, "read": read, "checked": "; ".join([*self.checked, *without])}


def seen(array: Any) -> str:
    """An array's shape, dtype and range."""
    low, high = (float(getattr(array, edge)()) for edge in ("min", "max"))
    return f"{'×'.join(map(str, array.shape))} {str(array.dtype).removeprefix('torch.')} {low:.4g}…{high:.4g}"


def expect(held: object, sentence: str) -> str:
    """The sentence, if it holds; WrongError if not."""
    if not held:
        raise WrongError(f"not so: {sentence}")
    return sentence


def expect_array(array: Any, shape: tuple[int, ...], dtype: str, low: float, high: float) -> None:
    """Check a shape (-1 stands for any), dtype and range; WrongError if one differs."""
    sides = zip(array.shape, shape, strict=False)
    fits = len(array.shape) == len(shape) and all(wanted in (side, -1) for side, wanted in sides)
    named = str(array.dtype).removeprefix("torch.") == dtype
    if not (fits and named and low <= float(array.min()) <= float(array.max()) <= high):
        raise WrongError(f"an array is {seen(array)} in place of {shape} {dtype} {low}…{high}")


def first_batch(dataset: Any, size: int = 1) -> Any:
    """The first items of a dataset as torch's own loader joins them; WrongError if it has none."""
    from torch.utils.data import DataLoader

    expect(len(dataset), "the loader finds an item")
    return next(iter(DataLoader(dataset, batch_size=size)))


def splits(folder: Path, below: str = "") -> list[Path]:
    """The splits of a layout that hold `below`, those for training first; WrongError if there are none."""
    names = [name for name in ("train", "validation", "test") if (folder / name / below).is_dir()]
    expect(names, f"{folder} has train/{below}")
    return [folder / name for name in names]


def load_file(path: Path) -> Any:
    """A module by its file, where its package can't be imported or has a common name."""
    spec = importlib.util.spec_from_file_location(f"upstream_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise WrongError(f"{path} is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _stub(names: Sequence[str]) -> list[str]:
    absent = [name for name in names if importlib.util.find_spec(name.partition(".")[0]) is None]
    sys.modules.update({name: MagicMock(name=name) for name in absent})
    return absent


def main(module: str, folder: str, checkout: str, found: str) -> None:
    """Write `found`, a list of rows: a `Read`'s, or `wrong` with a sentence for the first thing that is."""
    reader = importlib.import_module(f"benchmarks.loaders.{module}")
    stubs, rows = _stub(getattr(reader, "STUBS", ())), []
    try:
        for read in reader.read(Path(folder), Path(checkout)):
            rows.append(read.row(stubs))
    except WrongError as error:
        rows.append({"wrong": str(error)})
    except Exception as error:
        # Whatever a loader raises is its word on the folder.
        traceback.print_exc()
        at = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(at.filename).name}, line {at.lineno}"
        rows.append({"wrong": f"{type(error).__name__}: {error} ({place})"})
    Path(found).write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    from benchmarks.loaders.reading import main as imported

    # As the module that readers import, so that there is one WrongError.
    imported(*sys.argv[1:])
