"""`specsia benchmark`: score a method on the frozen set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from click import option

from specsia_build.cli.command import FOLDER, command, device, json_option
from specsia_build.cli.models import conclude_evaluation
from specsia_build.dravie.config import need_torch


@command("specsia benchmark --characters FOLDER --out bench", "specsia benchmark FRAMES --out bench")
@click.argument("frames", metavar="[FRAMES]", required=False, type=FOLDER)
@option("--characters", type=FOLDER, help="Folder of the set's real characters; needed once.")
@option("--out", required=True, type=FOLDER, help="Folder of the set and of all scores.")
@option("--name", help="Name of the method in the tables.  [default: that of the folder]")
@option("--adapt", is_flag=True, help="Also adapt the package's model to each frontal pair; takes minutes.")
@device
@json_option
def benchmark(
    frames: Path | None, characters: Path | None, out: Path, name: str | None, adapt: bool, device: str
) -> None:
    """Score a folder of frames, or the package's own model, on a frozen set of characters.

    The first call makes the set: pairs of the characters whose SHA-256 are on its card, and of procedural
    ones, all in the split test. FRAMES holds BACKEND/test/UID.png, as `specsia enhance` writes them. --out
    receives a folder scores-NAME for each method, with what `specsia evaluate` writes.
    """
    need_torch()
    from specsia_build.dravie.benchmark.frozen import (
        SET_SPLIT,
        frozen_set,
        label_of,
        make_set,
        method_of_frames,
    )
    from specsia_build.dravie.evaluate import evaluate as work
    from specsia_build.dravie.evaluate.methods import choose_methods, load_runs
    from specsia_build.dravie.evaluate.perceptual import find_networks
    from specsia_build.dravie.model.devices import find_device
    from specsia_build.dravie.runs import NAME, find_run
    from specsia_build.files.names import file_name

    label = NAME if frames is None else label_of(frames, name)
    frozen, where = frozen_set(), find_device(device)
    dataset = make_set(frozen, characters, out)
    runs = load_runs([find_run(NAME)], where)
    methods = choose_methods(runs)
    if not adapt:
        methods = [method for method in methods if not method.adapted]
    if frames is not None:
        methods = [method for method in methods if method.seen is None]
        methods.append(method_of_frames(frames, label, dataset))
    networks, absent = find_networks(where, None)
    scores_out = out / f"scores-{file_name(label, 'name')}"
    scores = work.evaluate(dataset, SET_SPLIT, methods, scores_out, (), networks)
    about = f"The set is version {frozen.version} of the SPECSIA benchmark."
    conclude_evaluation(replace(scores, notes=(about, *absent)), scores_out, "the benchmark")
