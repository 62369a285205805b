"""`specsia train`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from specsia_build.cli import options
from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.dravie.config import DEFAULT_PRESET, PRESETS, REFERENCES, TrainConfig, need_torch, train_config
from specsia_build.dravie.runs import RUN_FILE, checkpoints
from specsia_build.errors import UsageError, WriteError, argument, plural
from specsia_build.files.trouble import AGAIN

if TYPE_CHECKING:
    from specsia_build.dravie.train.train import Trained

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

FOLDER = click.Path(file_okay=False, path_type=Path)


def configs_option(description: str) -> Callable[[Decorated], Decorated]:
    """The option that names configurations of a dataset, by either of its names."""
    return click.option("--config-name", "--backend", "configs", multiple=True, metavar="NAME", help=description)


@click.command(
    cls=Command,
    examples=(
        "specsia train my-run/dataset --out drawn",
        "specsia train my-run/dataset --out drawn-quick --steps 100",
    ),
    context_settings={"show_default": False},
)
@click.argument("dataset", metavar="DATASET")
@click.option("--out", "run", type=FOLDER, required=True, help="Folder of the run.")
@click.option("--preset", type=click.Choice(tuple(PRESETS)), help=f"Model and settings.  [default: {DEFAULT_PRESET}]")
@click.option("--steps", type=int, help="Updates to make.  [default: the preset's]")
@configs_option("Configuration of the dataset (a backend's name); may be repeated.  [default: its first]")
@options.device
@click.option("--seed", type=int, help="Of weights and patches.  [default: 0]")
@click.option("--without", type=click.Choice(("pos",)), help="Leave the position hint out, and with it the drawing.")
@click.option(
    "--reference",
    type=click.Choice(REFERENCES),
    help="Show the model the drawing, or the published inputs alone.  [default: drawing]",
)
@click.option(
    "--perceptual", metavar="vgg19|PATH|random|none", help="Network of the perceptual loss.  [default: the preset's]"
)
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting of run.json; may be repeated."
)
@click.option("--checkpoint-every", type=click.IntRange(1), default=1000, help="Steps.  [default: 1000]")
@click.option("--validate-every", type=click.IntRange(1), default=2000, help="Steps.  [default: 2000]")
@click.option("--resume", is_flag=True, help="Go on with the training that --out holds.")
@json_option
def train(
    dataset: str,
    run: Path,
    preset: str | None,
    device: str,
    checkpoint_every: int,
    validate_every: int,
    resume: bool,
    **flags: Any,
) -> None:
    """Train DraViE on the train split of DATASET: a folder, a URL or a Hub id.

    --out receives checkpoints, log.csv, and validation/ with pictures of Z, the result and Y* side by side.
    """
    changes = _changes(**flags)
    try:
        need_torch()
        from specsia_build.dravie.train.train import Rhythm, read_run_config
        from specsia_build.dravie.train.train import train as run_train

        found = read_run_config(run) if resume else None
        if found is not None and preset in (None, found.preset):
            config = replace(found, **changes)
        else:
            config = train_config(preset or DEFAULT_PRESET, changes)
        rhythm = Rhythm(checkpoint_every, validate_every)
        done = run_train(dataset, run, config, resume=resume, device_name=device, rhythm=rhythm)
    except WriteError as error:
        again, goes = _afterwards(run, resume)
        raise WriteError(str(error).replace(AGAIN, f"give {again}; it {goes}")) from error
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"stopped; {' '.join(_afterwards(run, resume))}") from error
    lines = [
        f"{plural(done.steps, 'step')} on {plural(done.rows, 'row')} {'is' if done.steps == 1 else 'are'} in "
        f"{done.run} ({done.patches_per_second:.0f} patches a second, perceptual loss: {done.perceptual})"
    ]
    if done.l1 is not None and done.raw_l1 is not None:
        lines.append(f"validation frames: mean absolute error {done.l1:.4f}, before repair {done.raw_l1:.4f}")
    folder = argument(done.run)
    conclude(
        {**vars(done), "run": str(done.run)},
        lines,
        f"{plural(done.steps, 'step')} of training",
        {"trained": [f"a {config.preset} model on {plural(done.rows, 'row')}"]},
        doubtful={"warnings": [*done.warnings, *_doubts(done)]},
        where={"model": [str(done.run)], "log": [str(done.run / "log.csv")]},
        follows=[
            f"specsia enhance {folder} my-frames --out repaired",
            f"specsia evaluate {folder} {argument(dataset)} --out scores",
        ],
    )


def _afterwards(run: Path, resume: bool) -> tuple[str, str]:
    """The command that is given after a training was stopped, and what it does."""
    again = "the same command" if resume or not (run / RUN_FILE).is_file() else "the same command with --resume"
    last = next(reversed(checkpoints(run)), None)
    return again, "begins anew" if last is None else f"goes on from step {int(last.name)}, the last checkpoint"


def _doubts(done: Trained) -> list[str]:
    """A sentence where a model does not do what it was trained for."""
    if done.l1 is None or done.raw_l1 is None or done.l1 < done.raw_l1:
        return []
    return [
        f"{plural(done.steps, 'step')} made no model that repairs: its mean absolute error on validation frames is "
        f"{done.l1:.4f}, and {done.raw_l1:.4f} before repair; train for more --steps into another --out"
    ]


def _changes(
    configs: tuple[str, ...],
    steps: int | None,
    seed: int | None,
    without: str | None,
    reference: str | None,
    perceptual: str | None,
    settings: tuple[str, ...],
) -> dict[str, Any]:
    given = {"steps": steps, "seed": seed, "reference": reference, "perceptual": perceptual, "configs": configs or None}
    changes = dict(_setting(text) for text in settings) | {k: v for k, v in given.items() if v is not None}
    return changes | ({"with_pos": False, "reference": "none"} if without == "pos" else {})


def _setting(text: str) -> tuple[str, Any]:
    """A setting of `NAME=VALUE`, its value of the setting's own type."""
    name, equals, value = text.partition("=")
    kinds = {field.name: str(field.type) for field in fields(TrainConfig) if field.name not in ("preset", "configs")}
    if name not in kinds or not equals:
        raise UsageError(f"--set {text}: give NAME=VALUE with one of the names {', '.join(kinds)}")
    try:
        if kinds[name] == "bool":
            return name, {"true": True, "false": False}[value.lower()]
        return name, {"int": int, "float": float, "str": str}[kinds[name]](value)
    except (ValueError, KeyError) as error:
        raise UsageError(f"--set {text}: the value must be of the kind {kinds[name]}") from error
