"""A model that learns from pairs, and repairs frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from specsia_build.dataset.pairs import Pair
from specsia_build.dravie.config import need_torch, train_config
from specsia_build.dravie.runs import find_run
from specsia_build.errors import UsageError
from specsia_build.library.data import Dataset
from specsia_build.library.given import given_path, given_pixels

if TYPE_CHECKING:
    from specsia_build.dravie.reference import Drawing


class Model:
    """A trained generator.

    Attributes:
        run: the folder of its training, which the commands `specsia adapt`, `enhance` and `evaluate` take; it goes with
            the model where `train` was given none.
    """

    def __init__(self, run: str | Path, device: str = "auto", _keep: TemporaryDirectory[str] | None = None) -> None:
        need_torch()
        from specsia_build.dravie.model.checkpoint import load_generator
        from specsia_build.dravie.train.processes import find_device

        self.run, self._keep = find_run(given_path(run, "a run")), _keep
        self._device = find_device(str(device))
        self._config, model = load_generator(self.run)
        self._model = model.to(self._device)
        self._last: tuple[Pair, Drawing] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.run)!r})"

    def enhance(
        self,
        frame: Mapping[str, Any] | Pair | NDArray[np.uint8],
        pos: NDArray[np.uint8] | None = None,
        frontal: Pair | None = None,
    ) -> NDArray[np.uint8]:
        """Repair a frame.

        Args:
            frame: a row of `open_dataset`, a pair, or Z: (H, W, 4) uint8 with straight alpha, of any size.
            pos: (H, W, 3) or (H, W, 4) uint8, Zpos, where `frame` is a picture and the model sees positions.

            frontal: the frontal pair of the same character, for a model that sees the drawing: its Y* is the drawing.

        Returns:
            (H, W, 4) uint8 with straight alpha.

        Raises:
            UsageError: if pictures are of other shapes, or positions are missing.
        """
        from specsia_build.dravie.repair.apply import repair

        if isinstance(frame, Pair):
            z, pos = frame.z, frame.pos
        elif isinstance(frame, Mapping):
            lacking = [name for name in ("color", "pos") if name not in frame]
            if lacking:
                raise UsageError(f"a row holds color and pos, as those of open_dataset do: this has no {lacking[0]}")
            z, pos = np.asarray(frame["color"]), np.asarray(frame["pos"])
        else:
            z = frame
        z = given_pixels(z, "a frame")
        if pos is None:
            if self._config.with_pos:
                raise UsageError("this model sees positions: give pos, or train with with_pos=False")
            pos = np.zeros_like(z)
        pos = given_pixels(pos, "a picture of positions", alpha=False)
        if pos.shape[:2] != z.shape[:2]:
            raise UsageError(f"a frame is (H, W, 4) uint8 with positions of its size, not {z.shape} with {pos.shape}")
        if pos.shape[2] == 3:
            pos = np.dstack([pos, z[..., 3]])
        return repair(self._model, self._config, z, pos, self._device, self._drawing(frontal))

    def _drawing(self, frontal: Pair | None) -> Drawing:
        """The drawing of a frontal pair, made once for frames that follow each other."""
        from specsia_build.dravie.reference import NO_DRAWING, Drawing

        if frontal is None or not self._config.sees_drawing:
            return NO_DRAWING
        if self._last is None or self._last[0] is not frontal:
            self._last = frontal, Drawing.of_pair(frontal)
        return self._last[1]


def train(
    data: Dataset | str | Path,
    preset: str = "tiny",
    steps: int | None = None,
    *,
    out: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    **settings: Any,
) -> Model:
    """Train on the train split of a dataset.

    Args:
        data: from `open_dataset`, of whose configuration it learns, or where a dataset is.
        preset: `tiny` or `paper`.
        steps: the preset's own by default.
        out: folder that keeps the run; without it the run goes with the model.
        seed: of weights and patches.
        device: `auto`, `cpu` or `cuda`.
        settings: others of `TrainConfig`, such as ``with_pos=False``.

    Raises:
        UsageError: if a setting is unknown, the folder holds another run, or the rows are of another split.
        SpecsiaError: if the dataset cannot be read.
    """
    need_torch()
    from specsia_build.dravie.train.train import train as run_train

    given = {**settings, "seed": seed} | ({} if steps is None else {"steps": steps})
    changes = {name: value.item() if isinstance(value, np.generic) else value for name, value in given.items()}
    config = train_config(preset, changes)
    if isinstance(data, Dataset):
        if data.split != "train":
            raise UsageError(
                f"a model learns from the train split, not from {data.split}: open_dataset({str(data.where)!r})"
            )
        config = replace(config, configs=config.configs or (data.config,))
    elif not isinstance(data, str | Path):
        raise UsageError(
            "a model learns from a packed dataset, as open_dataset gives one or a path names one, not from "
            f"{type(data).__name__}: build one with `specsia build`"
        )
    if out is not None:
        given_path(out, "out")
    keep = TemporaryDirectory(prefix="specsia-run-") if out is None else None
    run = Path(out if out is not None else Path(keep.name) / "run")  # type: ignore[union-attr]
    run_train(data.where if isinstance(data, Dataset) else data, run, config, device_name=str(device))
    return Model(run, device, keep)


def load_model(run: str | Path, device: str = "auto") -> Model:
    """The model of a run of `specsia train` or `specsia adapt`.

    Args:
        run: its folder, or the text `pretrained` for the model that comes with the package (`./pretrained`, or a path,
            is a folder).
        device: `auto`, `cpu` or `cuda`.

    Raises:
        UsageError: if there is none.
        SpecsiaError: if it is damaged.
    """
    return Model(run, device)
