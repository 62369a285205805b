"""The model that comes with the package, trained further, with the settings of the preset `tiny`.

python -m benchmarks.tuned OUT DATASET...

Trains `pretrained` on the split `train` of all configurations of packed datasets (see its card), of which
some may count twice, and writes a run, from which `benchmarks.pretrained` makes a model.
"""

import json
from dataclasses import replace
from pathlib import Path

import click
import torch

from specsia_build import __version__, terminal
from specsia_build.dataset.reading import open_dataset
from specsia_build.dravie.config import to_json, train_config
from specsia_build.dravie.data.frames import FrameArrays, open_frames
from specsia_build.dravie.data.patches import PatchSampler
from specsia_build.dravie.model.checkpoint import load_generator, read_state, save_model
from specsia_build.dravie.model.networks import find_perceptual_loss
from specsia_build.dravie.runs import RUN_FILE, checkpoints, find_run, group_contents, read_seen, write_seen
from specsia_build.dravie.train.loop import Trainer
from specsia_build.files.records import read_json
from specsia_build.files.writing import write_bytes

LOG_EVERY = 100  # Steps between printed losses


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.argument("datasets", metavar="DATASET...", nargs=-1, required=True)
@click.option("--run", default="pretrained", show_default=True, help="Run whose model is trained further.")
@click.option("--steps", default=1600, show_default=True, type=click.IntRange(1))
@click.option("--learning-rate", default=1e-4, show_default=True)
@click.option("--batch", default=32, show_default=True, type=click.IntRange(1))
@click.option("--twice", multiple=True, help="Configuration whose views count twice.")
@click.option("--seed", default=2, show_default=True, type=click.IntRange(0))
def main(
    out: Path,
    datasets: tuple[str, ...],
    run: str,
    steps: int,
    learning_rate: float,
    batch: int,
    twice: tuple[str, ...],
    seed: int,
) -> None:
    """Train a run's model further on DATASETs, and write the run OUT."""
    start = find_run(run)
    generator = load_generator(start)
    opened = [open_dataset(where) for where in datasets]
    if unknown := set(twice).difference(*(dataset.configs for dataset in opened)):
        raise click.UsageError(f"no dataset has the configuration {min(unknown)}")
    frames: dict[str, list[FrameArrays]] = {}
    for dataset in opened:
        for config in dataset.configs:
            frames.setdefault(config, []).append(open_frames(dataset, config, "train"))
    changes = {"steps": steps, "learning_rate": learning_rate, "batch": batch, "seed": seed}
    settings = train_config("tiny", changes | {"configs": tuple(frames)})
    network = generator.network.train().requires_grad_(True)
    trainer = Trainer(settings, find_perceptual_loss(settings.perceptual), generator.device, network)
    parts = [part for name in (*frames, *twice) for part in frames[name]]
    sampler = PatchSampler(parts, settings)
    for step, means in trainer.learn(sampler):
        if step % LOG_EVERY == 0 or step == steps:
            values = means()
            terminal.say(f"step {step}: l1 {values['l1']:.4f}, perceptual {values['perceptual']:.4f}")
    seen = read_seen(start)
    training = dict(seen.training or {})
    for config, parts in frames.items():
        earlier = training.get(config, {}).items()
        views = [(name, content) for name, contents in earlier for content in contents]
        training[config] = group_contents([*views, *(view for part in parts for view in part.views)])
    write_seen(out, replace(seen, training=training))
    save_model(out, read_state(checkpoints(start)[-1]).step + steps, trainer.result)
    versions = {"specsia": __version__, "torch": torch.__version__}
    environment = {"bf16": trainer.bf16, "device": "cpu", "threads": torch.get_num_threads(), **versions}
    before = {name: value for name, value in read_json(start / RUN_FILE).items() if name != "where"}
    record = {
        "train": to_json(settings),
        "twice": twice,
        "datasets": [dataset.digest() for dataset in opened],
        **environment,
        "trained_from": before,
    }
    write_bytes(out / RUN_FILE, json.dumps(record, indent=1).encode())


if __name__ == "__main__":
    main()
