"""`specsia train`: from a packed dataset to a run folder. Load, learn, log, validate and save, in this order.

A run gives the same weights however often it is stopped: patches are a function of seed and step, and a
checkpoint holds everything else that the next step depends on. `validate` measures a generator on whole
frames of another split, as numbers and as a picture.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from specsia_build import __version__, png, terminal
from specsia_build.dataset.pairs import decode_pair, pair_columns
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.dravie import runs
from specsia_build.dravie.config import ModelConfig, TrainConfig, to_json
from specsia_build.dravie.data.frames import Drawings, DrawnPair, frontal_rows, open_frames
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.metrics import levels_on_white, region
from specsia_build.dravie.model.checkpoint import save_model
from specsia_build.dravie.model.devices import computes_in_bf16, find_device, predictor_of
from specsia_build.dravie.model.networks import Generator, find_perceptual_loss
from specsia_build.dravie.repair.apply import repair
from specsia_build.dravie.train.loop import TERMS, Trainer, rate
from specsia_build.errors import UsageError, plural, spelled
from specsia_build.files.writing import append, write_bytes
from specsia_build.pictures.films import side_by_side
from specsia_build.warning import Code, Warning

LOG_EVERY = 50  # Steps between rows of the log
CHECKPOINT_EVERY = 1000  # Steps between checkpoints
VALIDATE_EVERY = 2000  # Steps between validations
LOG, VALIDATION_LOG = "log.csv", "validation.csv"
VALIDATION = "validation"  # Folder of pictures, and the split that they are of
_VIEWS = 6  # Validation frames, spread over the split


@dataclass(frozen=True)
class Trained:
    """Result of a training.

    Attributes:
        rows: number of rows that it was trained on.
        seconds, patches_per_second: duration and speed of this call.
        l1, raw_l1: mean absolute error over Z ∪ Y* of results and Z on validation frames; None without any.
    """

    run: Path
    steps: int
    rows: int
    seconds: float
    patches_per_second: float
    perceptual: str
    l1: float | None
    raw_l1: float | None
    warnings: tuple[Warning, ...] = ()


def train(
    where: str | Path,
    run: Path,
    config: TrainConfig,
    *,
    resume: bool = False,
    device_name: str = "auto",
    checkpoint_every: int = CHECKPOINT_EVERY,
) -> Trained:
    """Train a generator on a dataset's train split (see `open_dataset`); write a run folder, or `resume` it.

    Raises `UsageError` if the folder holds another run, or none to resume, and `SpecsiaError` if the dataset
    or a checkpoint cannot be read, or a loss is not finite.
    """
    if resume and not (run / runs.RUN_FILE).is_file():
        raise UsageError(
            f"{spelled(run)} holds no training to continue: leave --resume out to begin one there"
        )
    device = find_device(device_name)
    dataset = open_dataset(where)
    config = replace(config, configs=config.configs or dataset.configs[:1])
    frames = [open_frames(dataset, name, "train") for name in config.configs]
    perceptual, bf16 = find_perceptual_loss(config.perceptual), computes_in_bf16(device, config.precision)
    decisive = {"train": to_json(config), "dataset": dataset.digest(), "bf16": bf16}
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    versions = {"specsia": __version__, "torch": torch.__version__}
    environment = {"where": dataset.where, "device": machine, "threads": torch.get_num_threads(), **versions}
    runs.write_record(run, config, decisive, environment, resume)

    watched = validation_pairs(dataset, config.configs, config.model)
    views = [runs.group_contents(part.views) for part in frames]
    validation = runs.group_contents((pair.character_id, pair.content) for pair, _ in watched)
    seen = runs.SeenCharacters(dict(zip(config.configs, views, strict=True)), validation)
    if not (run / runs.SEEN_FILE).is_file():
        runs.write_seen(run, seen)
    warnings: list[Warning] = []

    def warn(code: Code, sentence: str) -> None:
        terminal.say(f"warning: {sentence}")
        warnings.append(Warning(code, sentence, run.name))

    if both := sorted(seen.among(seen.validation)):
        characters = f"{plural(len(both), 'character')} of the training, such as {both[0]}"
        warn("characters-shared", f"the validation frames show {characters}: give each character one split")
    fronts = (frontal_rows(dataset, name, ("train",)) for name in config.configs)
    if config.model.sees_drawing and not any(fronts):
        lacking = "no training character has a frontal view, so the model learns without drawings"
        warn("drawing-advised", f"{lacking}: train on a dataset with view 0, or with --reference none")
    if not watched:
        terminal.say(
            "the dataset has no validation frames: the training continues without pictures to look at"
        )

    trainer, kept = Trainer(config, perceptual, device, compiled=True), runs.checkpoints(run)
    step = start = trainer.restore(kept[-1]) if kept else 0
    _begin_log(run / LOG, ("learning_rate", *TERMS, "patches_per_second"), start)
    _begin_log(run / VALIDATION_LOG, ("l1", "raw_l1"), start)

    def run_validation() -> tuple[float, float]:
        trainer.result.network.eval()
        ours, raw, picture = validate(trainer.result, watched)
        trainer.generator.train()
        write_bytes(run / VALIDATION / f"step-{step:07d}.png", picture)
        _log(run / VALIDATION_LOG, step, (ours, raw))
        return ours, raw

    ours = raw = None
    began = since = time.perf_counter()
    logged = start
    with terminal.bar("train", config.steps - start, "step", kept=start) as bar:
        for step, means in trainer.learn(PatchSampler(frames, config), start):
            ending = step == config.steps
            saving = ending or step % checkpoint_every == 0
            if saving or step % LOG_EVERY == 0:
                now = time.perf_counter()
                values = means()
                count = step - logged
                bar(count)
                bar.note(", ".join(f"{name} {values[name]:.4f}" for name in ("l1", "discriminator")))
                row = (rate(config, step - 1), *values.values(), count * config.batch / (now - since))
                _log(run / LOG, step, row)
                logged, since = step, now
            if saving:
                save_model(run, step, trainer.result, trainer.state())
            if watched and (ending or step % VALIDATE_EVERY == 0):
                ours, raw = run_validation()
                since = time.perf_counter()
    if watched and step == start:
        ours, raw = run_validation()
    seconds = time.perf_counter() - began
    if ours is not None and raw is not None and ours >= raw:
        warn(
            "no-gain",
            f"the model repairs nothing (mean absolute error of the validation frames {ours:.4f}, of Z "
            f"{raw:.4f}): train for more --steps, with another --seed, or with --set precision=float32, into "
            "another --out",
        )
    speed = (config.steps - start) * config.batch / seconds
    rows = sum(map(len, frames))
    return Trained(run, config.steps, rows, seconds, speed, config.perceptual, ours, raw, tuple(warnings))


def _begin_log(path: Path, columns: Sequence[str], step: int) -> None:
    """Start a CSV file with a row for each step, without rows after `step`."""
    rows = [",".join(("step", *columns))]
    if path.is_file() and step:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        rows += [line for line in lines if line.split(",")[0].isdigit() and int(line.split(",")[0]) <= step]
    write_bytes(path, ("\n".join(rows) + "\n").encode())


def _log(path: Path, step: int, values: Sequence[float]) -> None:
    append(path, ",".join([str(step), *(f"{value:.6g}" for value in values)]) + "\n")


def validation_pairs(dataset: OpenedDataset, configs: Sequence[str], model: ModelConfig) -> list[DrawnPair]:
    """Read a few pairs of the validation split, spread over characters and views, without empty ones."""
    watched = []
    for config in configs:
        count = dataset.splits(config).get(VALIDATION, 0)
        if not count:
            continue
        drawings = Drawings(dataset, config, (VALIDATION,) if model.sees_drawing else ())
        numbers = np.unique(np.linspace(0, count - 1, max(1, _VIEWS // len(configs))).astype(int))
        rows = dataset.take(config, VALIDATION, numbers.tolist(), pair_columns(dataset))
        for pair in map(decode_pair, rows):
            if (pair.z[..., 3] | pair.gt[..., 3]).any():
                watched.append(DrawnPair(pair, drawings.of(pair.character_id)))
    return watched


def validate(generator: Generator, watched: Sequence[DrawnPair]) -> tuple[float, float, bytes]:
    """Repair at least one pair, and measure the results.

    Returns the mean absolute error over Z ∪ Y* of the results and of Z itself, and a PNG whose rows are Z,
    the result and Y*.
    """
    height, width = np.max([pair.z.shape[:2] for pair, _ in watched], axis=0).tolist()
    predictor = predictor_of(generator)
    rows, errors = [], []
    for pair, drawing in watched:
        result = repair(predictor, pair.z, pair.pos, drawing)
        rows.append(side_by_side((pair.z, result, pair.gt), (height, width)))
        gt, pixels = levels_on_white(pair.gt), region(pair)
        shown = (levels_on_white(picture) for picture in (result, pair.z))
        errors.append([float(np.abs(levels - gt)[pixels].mean()) for levels in shown])
    ours, raw = np.mean(errors, axis=0).tolist()
    return ours, raw, png.encode(np.concatenate(rows))
