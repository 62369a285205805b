"""A packed dataset as rows, and a model that learns from it and repairs frames."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from specsia_build.arrays import Pixels
from specsia_build.dataset import reading, schema
from specsia_build.dataset.pairs import Pair, decode_pair, pair_at, pair_columns
from specsia_build.dravie.config import need_torch, train_config
from specsia_build.dravie.runs import find_run
from specsia_build.errors import UsageError, plural
from specsia_build.library.checks import check_pixels, plain

_Values = dict[str, Any]
"""A row: `uid`, `character_id`, `backend` (text), `view` (int), `iou` (float), and uint8 arrays `color`,
`pos`, `gt` (H, W, 4) with straight alpha, `mask`, `gt_mask` (H, W). The published schema has no `backend`,
`iou` and `gt_mask`; clips also have `clip`, `action` (text), `frame` (int) and `time` (float, seconds)."""

_LEFT_OUT = frozenset({"z", "outline_px", "outline_grey", "outline_rgb"})  # Of a pair, or under another name

if TYPE_CHECKING:
    from torch.utils.data import Dataset as _Rows

    from specsia_build.dravie.drawing import Drawing
else:
    # Rows are read without torch.
    _Rows = Sequence


class Dataset(_Rows[_Values]):
    """One split of a packed dataset: ``len(data)``, ``data[i]``, and `torch.utils.data.DataLoader(data,
    batch_size=8)`; and all its pairs: ``for pair in data``.

    Attributes:
        config: the configuration, that is, the backend.
        opened: the whole dataset, for streaming and for its other configurations.
    """

    def __init__(self, where: str | Path, split: str | None = None, config: str | None = None) -> None:
        self.where = where
        self.opened = reading.open_dataset(where)
        self.config = self.opened.configs[0] if config is None else config
        sizes = self.opened.splits(self.config)
        self.split = split or ("train" if "train" in sizes else next(iter(sizes), ""))
        if self.split not in sizes:
            raise UsageError(f"{where} has no split '{self.split}': it has {', '.join(sizes)}")
        self._size = sizes[self.split]
        self._configs = self.opened.configs if config is None else (config,)
        self._splits = schema.SPLITS if split is None else (split,)

    def __iter__(self) -> Iterator[Pair]:
        """Pairs of all configurations and splits, in order, or of those that were named on opening."""
        for config in self._configs:
            for split in (name for name in self.opened.splits(config) if name in self._splits):
                for row in self.opened.stream(config, split, pair_columns(self.opened)):
                    yield decode_pair(row)

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        rows = plural(self._size, "row")
        return f"Dataset({str(self.where)!r}, split={self.split!r}, config={self.config!r}: {rows})"

    def pair(self, index: int) -> Pair:
        """Read and decode a row. Raises IndexError if there is no such row."""
        number = operator.index(index)
        return pair_at(self.opened, self.config, self.split, number + self._size if number < 0 else number)

    def __getitem__(self, index: int) -> _Values:
        pair = self.pair(index)
        row = {"color": pair.z, "mask": np.ascontiguousarray(pair.z[..., 3])}
        return row | {k: v for k, v in vars(pair).items() if v is not None and k not in _LEFT_OUT}


def open_dataset(where: str | Path, split: str | None = None, config: str | None = None) -> Dataset:
    """Open a packed dataset, in this project's schema or the published one: a folder, an fsspec URL, or
    OWNER/NAME on the Hub; or the published folder tree.

    Rows by number are those of one split, by default `train` or else the first, and of one configuration,
    by default the first. Iteration gives a `Pair` of each row of all splits and configurations, or of those
    named here. Raises UsageError if there is no such dataset, split or configuration.
    """
    return Dataset(where, split, config)


class Model:
    """A trained generator.

    Attributes:
        run: the folder of its training, which `specsia adapt`, `enhance` and `evaluate` take; temporary if
            `train` was given none.
    """

    def __init__(
        self, run: str | Path, device: str = "auto", _keep: TemporaryDirectory[str] | None = None
    ) -> None:
        from specsia_build.dravie.model.checkpoint import load_predictor

        self.run, self._keep = find_run(run), _keep
        self._predictor = load_predictor(self.run, str(device))
        self._last: tuple[Pair, Drawing] | None = None

    def __repr__(self) -> str:
        return f"Model({str(self.run)!r})"

    def enhance(
        self, frame: Mapping[str, Any] | Pair | Pixels, pos: Pixels | None = None, frontal: Pair | None = None
    ) -> Pixels:
        """Repair a frame; returns (H, W, 4) uint8 with straight alpha.

        Args:
            frame: a row of `open_dataset`, a pair, or Z: (H, W, 4) uint8 with straight alpha, of any size.
            pos: (H, W, 3) or (H, W, 4) uint8, Zpos, if `frame` is a picture.
            frontal: the character's frontal pair, whose Y* is the drawing, for a model that sees drawings.
        """
        from specsia_build.dravie.repair.apply import repair

        picture: object = frame
        if isinstance(frame, Pair | Mapping) and pos is not None:
            raise UsageError(
                "a pair or row has its own positions: leave out pos, and give the front as frontal=pair"
            )
        if isinstance(frame, Pair):
            picture, pos = frame.z, frame.pos
        elif isinstance(frame, Mapping):
            if missing := [name for name in ("color", "pos") if name not in frame]:
                wanted = "a row holds color and pos, as those of open_dataset do"
                raise UsageError(f"{wanted}: this has no {missing[0]}")
            picture, pos = frame["color"], frame["pos"]
        z = check_pixels(picture, "a frame")
        if pos is None:
            raise UsageError("a model sees positions, too: give pos")
        pos = check_pixels(pos, "a picture of positions", alpha=False)
        if pos.shape[:2] != z.shape[:2]:
            wanted = "a frame is (H, W, 4) uint8 with positions of its size"
            raise UsageError(f"{wanted}, not {z.shape} with {pos.shape}")
        if pos.shape[2] == 3:
            pos = np.dstack([pos, z[..., 3]])
        return repair(self._predictor, z, pos, self._drawing(frontal))

    def _drawing(self, frontal: Pair | None) -> Drawing:
        """The drawing of a frontal pair; the last one is kept for the frames that follow."""
        from specsia_build.dravie.drawing import NO_DRAWING, Drawing

        if frontal is None or not self._predictor.config.sees_drawing:
            return NO_DRAWING
        if self._last is None or self._last[0] is not frontal:
            self._last = frontal, Drawing.of(frontal)
        return self._last[1]


def load_model(run: str | Path, device: str = "auto") -> Model:
    """Load the model of a run of `specsia train` or `adapt` (its folder), or `pretrained`, the package's."""
    return Model(run, device)


def train(
    data: Dataset | str | Path,
    preset: str = "tiny",
    steps: int | None = None,
    *,
    out: str | Path | None = None,
    device: str = "auto",
    **settings: Any,
) -> Model:
    """Train on the train split of a dataset.

    Args:
        data: from `open_dataset` (its configuration is used), or a folder, URL or Hub id.
        preset: `tiny` or `paper`.
        steps: the preset's own by default.
        out: folder that keeps the run; without it the run is deleted with the model.
        device: `auto`, `cpu` or `cuda`.
        settings: others of `TrainConfig`, such as ``seed=1`` or ``batch=4``.
    """
    need_torch()
    from specsia_build.dravie.train.train import train as run_train

    config = train_config(preset, plain(settings if steps is None else {**settings, "steps": steps}))
    if isinstance(data, Dataset):
        if data.split != "train":
            opened = f"open_dataset({str(data.where)!r})"
            raise UsageError(f"a model learns from the train split, not from {data.split}: {opened}")
        config, data = replace(config, configs=config.configs or (data.config,)), data.where
    keep = TemporaryDirectory(prefix="specsia-run-") if out is None else None
    run = Path(out) if keep is None else Path(keep.name) / "run"  # type: ignore[arg-type]
    run_train(data, run, config, device_name=str(device))
    return Model(run, device, keep)
