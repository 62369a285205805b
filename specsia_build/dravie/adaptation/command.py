"""`specsia adapt`: one character's frontal pair, found or put together, and the run that fits it."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from specsia_build import __version__
from specsia_build.characters.images import load_texture
from specsia_build.dataset.pairs import Pair, is_frontal, pair_at, place_columns, place_of
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dataset.verify.sample import doubts_of_split
from specsia_build.dravie.adaptation.adapt import adapt_generator
from specsia_build.dravie.adaptation.drawing import drawing_doubts, front_doubts, ground_doubts, place_drawing
from specsia_build.dravie.config import AdaptConfig, ModelConfig, to_json
from specsia_build.dravie.data.frame_folder import list_frames, read_frame
from specsia_build.dravie.doubts import doubts_of, told
from specsia_build.dravie.network.checkpoint import load_generator, save_model
from specsia_build.dravie.pretrained import run_name
from specsia_build.dravie.processes import find_device
from specsia_build.dravie.recall import remember
from specsia_build.dravie.run_folder import ADAPTED_FROM, RUN_FILE
from specsia_build.dravie.seen import read_seen, write_seen
from specsia_build.dravie.validation import validate
from specsia_build.errors import SpecsiaError, UsageError, some, spelled
from specsia_build.files.writing import replacing_folder, see_writable, write_bytes
from specsia_build.pipeline.progress import Progress

PICTURE = "frontal.png"


class Adapted(NamedTuple):
    """What an adaptation gave: its folder, what the frontal view is called, seconds, that view's mean absolute error
    before and after, the IoU at which a drawing lies on it (None without one), and what is doubtful."""

    run: Path
    frontal: str
    seconds: float
    l1_before: float
    l1: float
    iou: float | None = None
    doubts: tuple[str, ...] = ()


class Frontal(NamedTuple):
    """A frontal pair, and sentences on why it may be none or is not what it must be."""

    pair: Pair
    doubts: tuple[str, ...]


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
        for number, row in enumerate(dataset.stream(name, split, place_columns(dataset.kind))):
            found, view, frame = place_of(row, dataset.where)
            if found == character and is_frontal(view, frame):
                pair = pair_at(dataset, name, split, number)
                return Frontal(pair, doubts_of_split(dataset, name, split, [number]))
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


def _drawing(path: Path) -> NDArray[np.uint8]:
    # Whoever names a drawing may name a link to it, wherever that leads.
    return load_texture(path, "the drawing", Path("/"), upright=True)


def with_drawing(frontal: Pair, path: Path) -> Pair:
    """The pair with a drawing in place of Y*, laid onto Zmask.

    Raises:
        SpecsiaError: if it cannot be read, or does not fit.
    """
    try:
        placed = place_drawing(_drawing(path), frontal.z[..., 3])
    except SpecsiaError as error:
        raise SpecsiaError(f"{path}: {error}") from error
    return dataclasses.replace(
        frontal, gt=placed.image, gt_mask=None, iou=placed.iou, outline_px=None, outline_grey=None
    )


def load_frontal(
    config: ModelConfig,
    dataset: OpenedDataset | None,
    character: str | None,
    config_name: str | None,
    frames: Path | None,
    frame: str | None,
    drawing: Path | None,
) -> Frontal:
    """The frontal pair that the command's options name.

    Raises:
        UsageError: if they name none, or two, or what belongs to the other kind.
    """
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
        found = find_frontal(dataset, character, config_name)
        return found if drawing is None else found._replace(pair=with_drawing(found.pair, drawing))
    if frames is None or drawing is None:
        raise UsageError("--frames also needs --drawing PNG: frames hold no Y*")
    found = frontal_frame(frames, frame, config.with_pos)
    return found._replace(pair=with_drawing(found.pair, drawing))


def adapt(
    run: Path,
    frontal: Pair,
    config: ModelConfig,
    model: nn.Module,
    out: Path,
    settings: AdaptConfig,
    device: torch.device,
    recall: bool = True,
) -> Adapted:
    """Fit the model of a run to a frontal pair and write a run folder that holds the result.

    A model with the position hint also remembers what the pair shows where; the errors are the network's alone.

    Raises:
        UsageError: if the folder is not empty.
        SpecsiaError: if the pair shows nothing.
        WriteError: if the run cannot be written; nothing is left of it then.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{spelled(out)} is not empty: name another --out")
    see_writable(out)
    model, seen = model.to(device), read_seen(run)
    before, _, _ = validate(model, config, [frontal], device)
    began = time.perf_counter()
    with Progress().bar("adapt", settings.steps, "step") as bar:
        adapted = adapt_generator(model, config, frontal, settings, device, bar)
    seconds = time.perf_counter() - began
    after, _, picture = validate(adapted, config, [frontal], device)
    record = {
        ADAPTED_FROM: run_name(run),
        "character": frontal.character_id,
        "frontal": frontal.uid,
        "adapt": to_json(settings),
        "l1_before": before,
        "l1": after,
        "specsia": __version__,
        "torch": torch.__version__,
    }
    memory = remember(frontal) if config.with_pos and recall else None
    with replacing_folder(out, lambda folder: any(folder.iterdir())) as made:
        write_seen(made, seen.adapted_to(frontal))
        write_bytes(made / PICTURE, picture)
        save_model(made, settings.steps, config, adapted, {}, memory)
        write_bytes(made / RUN_FILE, json.dumps(record, indent=1, ensure_ascii=False).encode())
    worse = (
        f"the adaptation brought the frontal view no nearer: its mean absolute error is {after:.4f}, and {before:.4f} "
        "before; adapt with more --steps into another --out, or use the model that it started from"
    )
    return Adapted(out, frontal.uid, seconds, before, after, doubts=(worse,) if after >= before else ())


def adapt_run(
    run: Path,
    out: Path,
    settings: AdaptConfig,
    device_name: str,
    *,
    dataset: str | None = None,
    character: str | None = None,
    config_name: str | None = None,
    frames: Path | None = None,
    frame: str | None = None,
    drawing: Path | None = None,
    recall: bool = True,
) -> Adapted:
    """`specsia adapt`: see the options of the command.

    Raises:
        UsageError: if they do not fit together.
        SpecsiaError: if the model or a picture cannot be used.
    """
    config, model = load_generator(run)
    opened = None if dataset is None else open_dataset(dataset)
    frontal, doubts = load_frontal(config, opened, character, config_name, frames, frame, drawing)
    recall = recall and (opened is None or opened.keeps_places())
    done = adapt(run, frontal, config, model, out, settings, find_device(device_name), recall)
    done = done._replace(doubts=(*doubts, *done.doubts))
    if drawing is None:
        return done
    ground = ground_doubts(_drawing(drawing), frontal.z[..., 3])
    return done._replace(iou=frontal.iou, doubts=(*drawing_doubts(frontal.z, frontal.gt), *ground, *done.doubts))
