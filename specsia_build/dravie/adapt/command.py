"""`specsia adapt`: one character's frontal pair, found or put together, and the run that fits it."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specsia_build import __version__
from specsia_build.characters.images import load_texture
from specsia_build.dataset.pairs import Pair, pair_at
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dravie.adapt.adapt import adapt_generator
from specsia_build.dravie.adapt.placing import drawing_doubts, front_doubts, ground_doubts, place_drawing
from specsia_build.dravie.config import AdaptConfig, ModelConfig, to_json
from specsia_build.dravie.data.drawings import frontal_rows
from specsia_build.dravie.data.frame_folder import list_frames, read_frame
from specsia_build.dravie.model.checkpoint import load_generator, save_model
from specsia_build.dravie.recall import Memory, remember, remember_drawing
from specsia_build.dravie.reference import NO_DRAWING
from specsia_build.dravie.repair.doubts import doubts_of, told
from specsia_build.dravie.runs import ADAPTED_FROM, RUN_FILE, read_seen, run_name, write_seen
from specsia_build.dravie.train.processes import find_device
from specsia_build.dravie.train.validation import Watched, validate
from specsia_build.errors import SpecsiaError, UsageError, some, spelled
from specsia_build.files.writing import replacing_folder, see_writable, write_bytes
from specsia_build.pipeline.progress import Progress

PICTURE = "frontal.png"


class Adapted(NamedTuple):
    """What an adaptation gave: its folder, what the frontal view is called, seconds, that view's mean absolute error
    before and after, the IoU at which a drawing lies on it (None without one), and warnings."""

    run: Path
    frontal: str
    seconds: float
    l1_before: float
    l1: float
    iou: float | None = None
    doubts: tuple[str, ...] = ()


class Frontal(NamedTuple):
    """A frontal pair, and warnings about it; `places` where positions mean the same place in every view."""

    pair: Pair
    doubts: tuple[str, ...] = ()
    places: bool = True


class FrontalOptions(NamedTuple):
    """The options of `specsia adapt` that name a frontal view: a dataset's, or a frame with a drawing."""

    dataset: str | None = None
    character: str | None = None
    config_name: str | None = None
    frames: Path | None = None
    frame: str | None = None
    drawing: Path | None = None


def find_frontal(dataset: OpenedDataset, character: str, config: str | None = None) -> Frontal:
    """The frontal pair of a character, whichever split it is in; of clips the first such frame (see `is_frontal`).

    Args:
        dataset: to look in.
        character: its id.
        config: configuration, the dataset's first if None.

    Raises:
        UsageError: if there is no such character or configuration.
        SpecsiaError: if a row's uid is none.
    """
    name = config or dataset.configs[0]
    ids = set()
    for split in dataset.splits(name):
        for found, number in frontal_rows(dataset, name, split):
            if found == character:
                return Frontal(pair_at(dataset, name, split, number), (), dataset.keeps_places())
            ids.add(found)
    raise UsageError(f"{dataset.where} has no frontal view of '{character}': its characters are {some(sorted(ids))}")


def frontal_frame(folder: Path, name: str | None, with_pos: bool) -> Frontal:
    """The frontal view among the frames of a folder: the one named, or the first; Y* is left empty.

    Raises:
        UsageError: if there is no such frame.
    """
    frames = list_frames(folder, with_pos)
    chosen = next((frame for frame in frames if name in (None, frame.name)), None)
    if chosen is None:
        raise UsageError(f"{folder} has no frame '{name}': the first is '{frames[0].name}'")
    z, pos = read_frame(chosen)
    odd = told({doubt: [chosen.name] for doubt in doubts_of(z, pos, with_pos)})
    sides = front_doubts(pos) if with_pos else ()
    return Frontal(Pair(chosen.name, folder.resolve().name, 0, z, pos, np.zeros_like(z)), (*odd, *sides))


def _picture(path: Path) -> NDArray[np.uint8]:
    # Whoever names a drawing may name a link to it, wherever that leads.
    return load_texture(path, "the drawing", Path("/"), upright=True)


def with_drawing(frontal: Frontal, path: Path) -> Frontal:
    """The pair with a drawing in place of Y*, laid onto Zmask.

    Raises:
        SpecsiaError: if it cannot be read, or does not fit.
    """
    pair = frontal.pair
    try:
        picture = _picture(path)
        placed = place_drawing(picture, pair.z[..., 3])
    except SpecsiaError as error:
        raise SpecsiaError(f"{path}: {error}") from error
    doubts = (*drawing_doubts(pair.z, placed.image), *ground_doubts(picture, pair.z[..., 3]))
    laid = dataclasses.replace(pair, gt=placed.image, gt_mask=None, iou=placed.iou, outline_px=None, outline_grey=None)
    return frontal._replace(pair=laid, doubts=(*frontal.doubts, *doubts))


def load_frontal(config: ModelConfig, options: FrontalOptions) -> Frontal:
    """The frontal pair that the command's options name.

    Raises:
        UsageError: if they name none, or two, or what belongs to the other kind.
    """
    dataset, character, config_name, frames, frame, drawing = options
    if (dataset is None) == (frames is None):
        raise UsageError(
            "give the frontal view either as --dataset DATASET --character ID, where --drawing PNG may take the place "
            "of its Y*, or as --frames DIR --drawing PNG"
        )
    given = "--frames" if dataset is None else "--dataset"
    alien = {"--character": character, "--backend": config_name} if dataset is None else {"--frame": frame}
    for option, value in alien.items():
        if value is not None:
            raise UsageError(f"{option} does not go with {given}: leave it out")
    if dataset is not None:
        if character is None:
            raise UsageError("--dataset also needs --character ID: whose frontal view?")
        found = find_frontal(open_dataset(dataset), character, config_name)
        return found if drawing is None else with_drawing(found, drawing)
    if frames is None or drawing is None:
        raise UsageError("--frames also needs --drawing PNG: frames hold no Y*")
    return with_drawing(frontal_frame(frames, frame, config.with_pos), drawing)


def memory_for(config: ModelConfig, frontal: Frontal, recall: bool = True) -> Memory | None:
    """What a model is given of a frontal pair besides its weights: the drawing, or else colours that are recalled."""
    if config.sees_drawing:
        return remember_drawing(frontal.pair, frontal.places)
    return remember(frontal.pair) if recall and config.with_pos and frontal.places else None


def folder_memory(
    config: ModelConfig, folder: Path, frame: str | None, drawing: Path | None
) -> tuple[Memory | None, tuple[str, ...]]:
    """What a model is given of a drawing for the frames of a folder, laid onto one of them, and warnings about it.

    Raises:
        UsageError: if there is no such frame, or the model does not see positions.
        SpecsiaError: if the drawing cannot be read, or does not fit.
    """
    if drawing is None:
        if frame is not None:
            raise UsageError("--reference-frame also needs --drawing PNG")
        return None, ()
    if not config.with_pos:
        raise UsageError("--drawing is looked up by position, and this model was trained --without pos")
    found = with_drawing(frontal_frame(folder, frame, config.with_pos), drawing)
    return memory_for(config, found), found.doubts


def adapt_run(
    run: Path, out: Path, settings: AdaptConfig, device_name: str, options: FrontalOptions, recall: bool = True
) -> Adapted:
    """Fit the model of a run to a frontal pair and write a run folder that holds the result.

    A model with the position hint and without the drawing also remembers what the pair shows where; the errors are the
    network's alone.

    Raises:
        UsageError: if the options do not fit together, or the folder is not empty.
        SpecsiaError: if the model or a picture cannot be used, or the pair shows nothing.
        WriteError: if the run cannot be written; nothing is left of it then.
    """
    config, _ = load_generator(run)
    found = load_frontal(config, options)
    done = adapt_pair(run, out, settings, device_name, found, recall)
    return done if options.drawing is None else done._replace(iou=found.pair.iou)


def adapt_pair(
    run: Path, out: Path, settings: AdaptConfig, device_name: str, found: Frontal, recall: bool = True
) -> Adapted:
    """Fit the model of a run to a frontal pair that is at hand; see `adapt_run`."""
    config, model = load_generator(run)
    frontal, memory = found.pair, memory_for(config, found, recall)
    drawing = memory.drawing if config.sees_drawing and memory is not None else NO_DRAWING
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{spelled(out)} is not empty: name another --out")
    see_writable(out)
    device, seen = find_device(device_name), read_seen(run)
    model, watched = model.to(device), [Watched(frontal, drawing)]
    before, _, _ = validate(model, config, watched, device)
    began = time.perf_counter()
    with Progress().bar("adapt", settings.steps, "step") as bar:
        adapted = adapt_generator(model, config, frontal, settings, device, bar, drawing)
    seconds = time.perf_counter() - began
    after, _, picture = validate(adapted, config, watched, device)
    record = {
        ADAPTED_FROM: run_name(run),
        "character": frontal.character_id,
        "frontal": frontal.uid,
        "adapt": to_json(settings),
        "l1_before": before,
        "l1": after,
        "specsia": __version__,
    }
    with replacing_folder(out, lambda folder: any(folder.iterdir())) as made:
        write_seen(made, seen.adapted_to(frontal))
        write_bytes(made / PICTURE, picture)
        save_model(made, settings.steps, config, adapted, {}, memory)
        write_bytes(made / RUN_FILE, json.dumps(record, indent=1, ensure_ascii=False).encode())
    worse = (
        f"the adaptation did not improve the frontal view: its mean absolute error is {after:.4f}, and {before:.4f} "
        "before; adapt with more --steps into another --out, or use the model that it started from"
    )
    doubts = (*found.doubts, *((worse,) if after >= before else ()))
    return Adapted(out, frontal.uid, seconds, before, after, None, doubts)
