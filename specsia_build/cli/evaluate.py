"""`specsia evaluate`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from specsia_build.cli import options
from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option
from specsia_build.cli.train import FOLDER, configs_option
from specsia_build.dravie.config import ABLATIONS, ADAPTATION, FIT_STEPS, need_torch
from specsia_build.dravie.runs import find_run
from specsia_build.errors import UsageError, argument, plural
from specsia_build.terminal.layout import table_of
from specsia_build.terminal.screen import say


@click.command(
    cls=Command,
    examples=(
        "specsia evaluate pretrained my-run/dataset --out scores",
        "specsia evaluate drawn my-run/dataset --baselines raw --out scores-drawn",
    ),
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=find_run)
@click.argument("dataset")
@click.option("--out", required=True, type=FOLDER, help="Folder of the tables, the figures and the results.")
@click.option(
    "--baselines",
    default="raw,line,look-up",
    show_default=True,
    metavar="NAME,...",
    help="What to compare with, sample-wise too; none for nothing.",
)
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(ABLATIONS),
    help="Ablation to compare with; may be repeated.",
)
@click.option(
    "--repeats", default=1, show_default=True, type=click.IntRange(1, 100), help="Seeds of adaptations and fits."
)
@configs_option("Configuration of DATASET to score; may be repeated.  [default: all]")
@click.option("--split", default="test", show_default=True, help="That training did not see.")
@click.option(
    "--allow-seen", is_flag=True, help="Score models on characters that they have seen, too; their rows are marked."
)
@click.option(
    "--adapt-steps",
    default=ADAPTATION.steps,
    show_default=True,
    type=click.IntRange(1),
    help="Updates of an adaptation to a character.",
)
@click.option(
    "--fit-steps",
    default=FIT_STEPS,
    show_default=True,
    type=click.IntRange(1),
    help="Updates of a sample-wise fit.",
)
@options.device
@json_option
def evaluate(
    runs: tuple[Path, ...],
    dataset: str,
    out: Path,
    baselines: str,
    without: tuple[str, ...],
    repeats: int,
    configs: tuple[str, ...],
    split: str,
    allow_seen: bool,
    adapt_steps: int,
    fit_steps: int,
    device: str,
) -> None:
    """Compare the models of RUN... with baselines on the test characters of DATASET, frontal and novel views apart.

    A RUN is a folder of `specsia train` or `specsia adapt`, or `pretrained`, the model that comes along.
    All methods are given each character's frontal pair: models as they are and adapted to it, baselines likewise. Runs
    that differ only in their seed are repeats of one method. --out receives tables.md, scores.csv, characters.csv,
    scores.json, every result as a picture, and report.html, which shows all of it.
    """
    from specsia_build.look.evaluation import REPORT, TABLES, gallery_of_evaluation

    need_torch()
    from specsia_build.dataset.reading import open_part
    from specsia_build.dravie.evaluate import methods as known
    from specsia_build.dravie.evaluate.evaluate import evaluate as measure
    from specsia_build.dravie.evaluate.perceptual import find_perceptual
    from specsia_build.dravie.evaluate.statistics import FEWEST
    from specsia_build.dravie.evaluate.tables import write_evaluation
    from specsia_build.dravie.runs import SEEN_FILE
    from specsia_build.dravie.train.processes import find_device
    from specsia_build.look.page import refuse_other_file, write_page
    from specsia_build.look.sections import sections_of_evaluation
    from specsia_build.pipeline.progress import Progress

    refuse_other_file(out / REPORT)
    wanted = [name for name in baselines.split(",") if name and name != "none"]
    for name in wanted:
        if name not in known.BASELINES:
            raise UsageError(f"--baselines: there is no '{name}'; they are {', '.join(known.BASELINES)}")
    where, opened = find_device(device), open_part(dataset, say)
    trained = known.load_runs(runs, where)
    adaptation = replace(ADAPTATION, steps=adapt_steps)
    choice = known.Choice(wanted, without, repeats, adaptation, fit_steps)
    networks, notes = find_perceptual(where)
    chosen = known.choose_methods(trained, choice, where)
    measured = measure(opened, split, chosen, out, networks, configs, allow_seen)
    unknown = tuple(
        f"Which characters {run.path} was trained on is not known: it has no {SEEN_FILE}."
        for run in trained
        if run.seen.training is None
    )
    characters = len({score.character for score in measured.scores})
    few = f"Below {FEWEST} characters no method is called better or worse; these are {characters}."
    found = replace(measured, notes=(*unknown, *notes, *([few] if characters < FEWEST else ())))
    text, document = write_evaluation(found, out)
    gallery = gallery_of_evaluation(str(out))
    write_page(gallery, sections_of_evaluation(out, gallery), out / REPORT, Progress())
    folder = argument(out)
    conclude(
        document,
        table_of(text.split("\n")),
        f"{plural(len(found.labels), 'method')} on {plural(characters, 'character')} of {dataset}",
        {"compared": [", ".join(found.labels)]},
        doubtful={"note": found.notes},
        where={"tables": [str(out / TABLES)], "report": [str(out / REPORT)]},
        follows=[f"specsia turntable {folder} --out turntable.webp", f"specsia sheet {folder} --out sheet.png"],
    )
