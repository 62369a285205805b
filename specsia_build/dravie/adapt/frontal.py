"""Frontal pairs of characters: those of a dataset, or a frame with a drawing laid onto it."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from specsia_build.characters.images import load_texture
from specsia_build.dataset.pairs import Pair, pair_at
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dravie.adapt.overlay import differs_in_colour, place_drawing
from specsia_build.dravie.data.frame_folder import frame_warning, list_frames, read_frame
from specsia_build.dravie.data.frames import DrawnPair, frontal_rows
from specsia_build.dravie.drawing import Drawing
from specsia_build.errors import SpecsiaError, UsageError, some
from specsia_build.warning import Warning


class FrontalPair(NamedTuple):
    """A frontal pair; `places` says whether a position is one place in every view, `iou` how a drawing fits.

    `known` is the drawing where it is not to be read off the pair.
    """

    pair: Pair
    warnings: tuple[Warning, ...] = ()
    places: bool = True
    iou: float | None = None
    known: Drawing | None = None

    def drawn(self) -> DrawnPair:
        return DrawnPair(self.pair, self.known or Drawing.of(self.pair, self.places))


def find_frontal(dataset: OpenedDataset, character: str, config: str | None = None) -> FrontalPair:
    """Find the frontal pair of a character in any split of a configuration, by default the first.

    Raises `UsageError` if there is no such character or configuration.
    """
    name = config or dataset.configs[0]
    rows = frontal_rows(dataset, name, dataset.splits(name))
    if character not in rows:
        others = f"those with one are {some(sorted(rows))}" if rows else "nor of any other character"
        raise UsageError(f"{dataset.where} has no frontal view of '{character}', {others}")
    return FrontalPair(pair_at(dataset, name, *rows[character]), (), dataset.keeps_places(name, character))


def frontal_frame(folder: Path, name: str | None, drawing: Path) -> FrontalPair:
    """Read a frame of a folder, by default the first, and lay a drawing onto it.

    Raises `UsageError` without such a frame, `SpecsiaError` if the drawing cannot be read or does not fit.
    """
    frames = list_frames(folder)
    name = next(iter(frames)) if name is None else name
    if name not in frames:
        raise UsageError(f"{folder} has no frame '{name}': the first is '{next(iter(frames))}'")
    z, pos = read_frame(frames[name])
    warnings: tuple[Warning, ...] = ()
    if (problem := frame_warning(z, pos)) is not None:
        warnings = (Warning("frame-unlikely", f"the frame '{name}': {problem}", name),)
    pair = Pair(name, folder.resolve().name, 0, z, pos, np.zeros_like(z))
    return with_drawing(FrontalPair(pair, warnings), drawing)


def with_drawing(frontal: FrontalPair, path: Path) -> FrontalPair:
    """Replace a pair's Y* by a drawing laid onto Zmask; `SpecsiaError` if it cannot be read or placed."""
    pair, warnings = frontal.pair, frontal.warnings
    try:
        # Links to drawings may lead anywhere.
        image, iou = place_drawing(load_texture(path, "the drawing", Path("/"), drawn=True), pair.z[..., 3])
    except SpecsiaError as error:
        raise SpecsiaError(f"{path}: {error}") from error
    if differs_in_colour(pair.z, image):
        question = "is it this character, in colour, upright and from the front?"
        sentence = f"{path.name} and the frontal view '{pair.uid}' differ much in colour: {question}"
        warnings += (Warning("colours-differ", sentence, path.name),)
    laid = replace(
        pair, gt=image, gt_mask=None, iou=iou, outline_px=None, outline_grey=None, outline_rgb=None
    )
    return frontal._replace(pair=laid, warnings=warnings, iou=iou)


def load_frontal(
    dataset: str | None,
    character: str | None,
    config_name: str | None,
    frames: Path | None,
    frame: str | None,
    drawing: Path | None,
) -> FrontalPair:
    """Load the frontal pair that `specsia adapt` names: a dataset's, or a frame with a drawing."""
    if dataset and character and not (frames or frame):
        frontal = find_frontal(open_dataset(dataset), character, config_name)
        return frontal if drawing is None else with_drawing(frontal, drawing)
    if frames and drawing and not (dataset or character or config_name):
        return frontal_frame(frames, frame, drawing)
    raise UsageError(
        "give the frontal view either as --dataset DATASET --character ID [--backend NAME] [--drawing PNG], "
        "or as --frames DIR --drawing PNG [--frame NAME]"
    )
