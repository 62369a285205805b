"""`specsia train`, `adapt`, `enhance`, `evaluate` and `repair`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import click

from specsia_build.cli.command import FOLDER, OLD_FILE, command, conclude, configs, device, json_option
from specsia_build.dravie.config import (
    ABLATIONS,
    ADAPTATION,
    DEFAULT_PRESET,
    FIT_STEPS,
    PRESETS,
    REFERENCES,
    TrainConfig,
    need_torch,
    train_config,
)
from specsia_build.dravie.runs import find_run, run_name
from specsia_build.errors import UsageError, WriteError, argument, plural

RESUMED = "the same command with --resume goes on from the last checkpoint"


@command("specsia train my-run/dataset --out drawn", "specsia train my-run/dataset --out drawn-quick --steps 100")
@click.argument("dataset", metavar="DATASET")
@click.option("--out", "run", type=FOLDER, required=True, help="Folder of the run.")
@click.option("--preset", type=click.Choice(tuple(PRESETS)), help=f"Model and settings.  [default: {DEFAULT_PRESET}]")
@click.option("--steps", type=int, help="Updates to make.  [default: the preset's]")
@configs("Configuration of the dataset (a backend's name); may be repeated.  [default: its first]")
@device
@click.option("--seed", type=int, help="Of weights and patches.  [default: 0]")
@click.option("--without", type=click.Choice(("pos",)), help="Leave the position hint out, and with it the drawing.")
@click.option("--reference", type=click.Choice(REFERENCES), help="What else the model sees.  [default: drawing]")
@click.option("--perceptual", metavar="vgg19|PATH|random|none", help="Network of the perceptual loss.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting of run.json.")
@click.option("--checkpoint-every", type=click.IntRange(1), default=1000, help="Steps.  [default: 1000]")
@click.option("--validate-every", type=click.IntRange(1), default=2000, help="Steps.  [default: 2000]")
@click.option("--resume", is_flag=True, help="Go on with the training that --out holds.")
@json_option
def train(dataset: str, run: Path, preset: str | None, device: str, resume: bool, **given: Any) -> None:
    """Train DraViE on the train split of DATASET: a folder, a URL or a Hub id.

    --out receives checkpoints, log.csv, and validation/ with pictures of Z, the result and Y* side by side.
    """
    names = ("steps", "seed", "reference", "perceptual", "configs")
    stated = {name: given[name] for name in names if given[name] not in (None, ())}
    changes = dict(map(_setting, given["settings"])) | stated
    changes |= {"with_pos": False, "reference": "none"} if given["without"] == "pos" else {}
    try:
        need_torch()
        from specsia_build.dravie.runs import read_run_config
        from specsia_build.dravie.train.train import Rhythm
        from specsia_build.dravie.train.train import train as run_train

        found = read_run_config(run) if resume else None
        if found is not None and preset in (None, found.preset):
            config = replace(found, **changes)
        else:
            config = train_config(preset or DEFAULT_PRESET, changes)
        rhythm = Rhythm(given["checkpoint_every"], given["validate_every"])
        done = run_train(dataset, run, config, resume=resume, device_name=device, rhythm=rhythm)
    except WriteError as error:
        raise WriteError(f"{error}; {RESUMED}") from error
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"stopped; {RESUMED}") from error
    steps, rows, folder = plural(done.steps, "step"), plural(done.rows, "row"), argument(done.run)
    lines = [
        f"{steps} on {rows} {'is' if done.steps == 1 else 'are'} in {done.run} ({done.patches_per_second:.0f} patches "
        f"a second, perceptual loss: {done.perceptual})"
    ]
    doubts = list(done.warnings)
    if done.l1 is not None and done.raw_l1 is not None:
        lines.append(f"validation frames: mean absolute error {done.l1:.4f}, before repair {done.raw_l1:.4f}")
        if done.l1 >= done.raw_l1:
            doubts.append(f"{steps} made no model that repairs: train for more --steps into another --out")
    facts = {
        "trained": [f"a {config.preset} model on {rows}"],
        "warnings": doubts,
        "model": [str(done.run)],
        "log": [str(done.run / "log.csv")],
        "next": [
            f"specsia enhance {folder} my-frames --out repaired",
            *([f"specsia evaluate {folder} {argument(dataset)} --out scores"] if done.has_test else []),
        ],
    }
    conclude({**vars(done), "run": str(done.run)}, lines, f"{steps} of training", facts)


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


@command(
    "specsia adapt pretrained --frames my-frames --drawing front.png --out mine",
    "specsia adapt drawn --dataset my-run/dataset --character 0 --out drawn-0",
)
@click.argument("run", type=find_run)
@click.option("--out", type=FOLDER, required=True, help="Folder of the adapted run.")
@click.option("--dataset", metavar="DATASET", help="That holds the character.")
@click.option("--character", metavar="ID", help="Whose frontal view, in --dataset.")
@click.option("--config-name", "--backend", metavar="NAME", help="Configuration of the dataset.  [default: its first]")
@click.option("--frames", type=FOLDER, help="Folder of frames: color/, pos/ and, where color has no alpha, mask/.")
@click.option("--frame", metavar="NAME", help="The frontal one of --frames.  [default: the first]")
@click.option("--drawing", type=OLD_FILE, help="In the place of Y*: the character in the frontal pose, any size.")
@click.option("--steps", type=int, help=f"Updates to make.  [default: {ADAPTATION.steps}]")
@device
@json_option
def adapt(run: Path, out: Path, steps: int | None, device: str, **of_frontal: Any) -> None:
    """Fit the model of RUN lightly to one character's frontal view and write a run of its own.

    RUN is a folder of `specsia train`, or `pretrained`, the model in the package.

    The frontal view is a dataset's (with its Y*, or a drawing), or a frame with a drawing, which is laid onto it by its
    silhouette; of clips it is the first frame of the character's first clip that is seen from the front. The run keeps
    the drawing, which the model sees when it repairs.
    """
    need_torch()
    from specsia_build.dravie.adapt.command import PICTURE, FrontalOptions, adapt_run

    settings = ADAPTATION if steps is None else replace(ADAPTATION, steps=steps)
    done = adapt_run(run, out, settings, device, FrontalOptions(**of_frontal))
    lines = [
        f"adapted in {done.seconds:.0f} s: {done.run}",
        f"frontal view {done.frontal}: mean absolute error {done.l1:.4f}, before {done.l1_before:.4f}",
    ]
    if done.iou is not None:
        lines.append(f"the drawing lies on it with an IoU of {done.iou:.2f}")
    frames = argument(of_frontal["frames"] or of_frontal["dataset"])
    facts = {
        "fitted": ["the model"],
        "warnings": list(done.warnings),
        "model": [str(done.run)],
        "picture": [str(done.run / PICTURE)],
        "next": [f"specsia enhance {argument(done.run)} {frames} --out repaired"],
    }
    conclude({**done._asdict(), "run": str(done.run)}, lines, f"fitted to {done.frontal}", facts)


@command(
    "specsia enhance pretrained my-frames --out repaired",
    "specsia enhance drawn my-run/dataset --split test --out repaired-test",
    goes_on=True,
)
@click.argument("run", type=find_run)
@click.argument("source", metavar="INPUT")
@click.option("--out", required=True, type=FOLDER, help="Folder of the results.")
@click.option("--drawing", type=OLD_FILE, help="The character from the front, any size, for frames of a folder.")
@click.option("--reference-frame", metavar="NAME", help="The frontal one of the frames.  [default: the first]")
@click.option("--split", help="Of a dataset: train, validation or test.  [default: all]")
@click.option("--video", is_flag=True, help="Also write a film: Z beside the result; of clips one each, with Y*.")
@device
def enhance(run: Path, source: str, out: Path, video: bool, device: str, **given: Any) -> None:
    """Repair every frame of INPUT with the model of RUN and write RGBA pictures to --out.

    RUN is a folder of `specsia train` or `specsia adapt`, or `pretrained`, the model in the package.
    INPUT is a dataset, or a folder of frames: color/, pos/ and, where color has no alpha, mask/, with a picture of the
    same name for every frame. Frames that are finished stay as they are, so that a stopped command goes on.
    The model sees the drawing of --drawing, else the one that RUN was adapted to; of a dataset it sees Y* of each
    character's frontal view.
    """
    need_torch()
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.dravie.adapt.command import frontal_frame
    from specsia_build.dravie.data.frame_folder import is_frame_folder
    from specsia_build.dravie.model.checkpoint import load_drawing, load_generator
    from specsia_build.dravie.repair import enhance as work
    from specsia_build.dravie.repair.apply import find_device

    config, model = load_generator(run)
    kept_drawing, where = load_drawing(run), find_device(device)
    drawing, frame, split = given["drawing"], given["reference_frame"], given["split"]
    seen, warnings = None, tuple[str, ...]()
    of_folder = is_frame_folder(Path(source))
    if drawing is not None and not config.sees_drawing:
        raise UsageError("--drawing: this model was trained with --reference none and sees no drawing")
    if frame is not None and drawing is None:
        raise UsageError("--reference-frame also needs --drawing PNG")
    if of_folder:
        if split is not None:
            raise UsageError(f"{source} is a folder of frames, which has no splits: leave --split out")
        frames = work.folder_frames(Path(source), config.with_pos)
        if drawing is not None:
            frontal = frontal_frame(Path(source), frame, drawing, config.with_pos)
            seen, warnings = frontal.drawing(), frontal.warnings
        if config.sees_drawing and seen is None and kept_drawing is None:
            warnings = ("this model repairs better with the drawing: add --drawing front.png",)
    else:
        if drawing is not None or frame is not None:
            raise UsageError("--drawing and --reference-frame are for a folder of frames; a dataset has its own")
        frames = work.dataset_frames(open_dataset(source), split, config.sees_drawing)
    repairer = work.Repairer(model.to(where), config, where, seen or kept_drawing)
    done = work.enhance(repairer, frames, out, video)
    kept = f", {done.kept} were there already" if done.kept else ""
    lines = [f"{plural(done.made, 'frame')} repaired{kept}: {out}"]
    if done.film is not None:
        lines.append(f"the films of its clips are in {done.film}" if done.film.is_dir() else f"the film is {done.film}")
    named = argument(source)
    follows = [f"specsia evaluate {argument(run_name(run))} {named} --out scores"]
    if of_folder:
        follows = [f"specsia adapt {argument(run_name(run))} --frames {named} --drawing front.png --out mine"]
        follows = [] if kept_drawing is not None or seen is not None else follows
    facts = {
        "repaired": [f"{done.made:,}" if done.made else "nothing: all is up to date"],
        "up to date": [f"{done.kept:,}"] if done.kept else [],
        "warnings": [*warnings, *done.warnings],
        "pictures": [str(out)],
        "film": [] if done.film is None else [str(done.film)],
        "next": follows,
    }
    conclude(None, lines, f"{plural(frames.count, 'frame')} of {source}", facts)


@command(
    "specsia evaluate pretrained my-run/dataset --out scores",
    "specsia evaluate drawn my-run/dataset --baselines raw --out scores-drawn",
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=find_run)
@click.argument("dataset")
@click.option("--out", required=True, type=FOLDER, help="Folder of the tables, the figures and the results.")
@click.option("--baselines", default="raw,line,look-up", show_default=True, help="What to compare with, or none.")
@click.option("--without", multiple=True, type=click.Choice(ABLATIONS), help="Ablation to compare with.")
@click.option("--repeats", default=1, type=click.IntRange(1, 100), help="Seeds of adaptations and fits.  [default: 1]")
@configs("Configuration of DATASET to score; may be repeated.  [default: all]")
@click.option("--split", default="test", show_default=True, help="That training did not see.")
@click.option("--allow-seen", is_flag=True, help="Score models on characters that they have seen, and mark these rows.")
@click.option("--adapt-steps", default=ADAPTATION.steps, type=click.IntRange(1), help="Updates of an adaptation.")
@click.option("--fit-steps", default=FIT_STEPS, type=click.IntRange(1), help="Updates of a sample-wise fit.")
@device
@json_option
def evaluate(runs: tuple[Path, ...], dataset: str, out: Path, split: str, device: str, **given: Any) -> None:
    """Compare the models of RUN... with baselines on the test characters of DATASET, frontal and novel views apart.

    A RUN is a folder of `specsia train` or `specsia adapt`, or `pretrained`, the model in the package.
    All methods are given each character's frontal pair: models as they are and adapted to it, baselines likewise. Runs
    that differ only in their seed are repeats of one method. --out receives tables.md, scores.csv, characters.csv,
    scores.json, every result as a picture, and report.html, which shows all of it.
    """
    need_torch()
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.dravie.evaluate import methods as known
    from specsia_build.dravie.evaluate.evaluate import evaluate as measure
    from specsia_build.dravie.evaluate.measures import find_perceptual
    from specsia_build.dravie.evaluate.summary import FEWEST, write_evaluation
    from specsia_build.dravie.repair.apply import find_device
    from specsia_build.dravie.runs import SEEN_FILE
    from specsia_build.look.evaluation import REPORT, TABLES, gallery_of_evaluation
    from specsia_build.look.page import refuse_other_file, write_page
    from specsia_build.look.sections import sections_of_evaluation
    from specsia_build.pipeline.progress import Progress

    refuse_other_file(out / REPORT)
    wanted = [name for name in given["baselines"].split(",") if name and name != "none"]
    if unknown := [name for name in wanted if name not in known.BASELINES]:
        raise UsageError(f"--baselines: there is no '{unknown[0]}'; they are {', '.join(known.BASELINES)}")
    where, opened = find_device(device), open_dataset(dataset)
    trained = known.load_runs(runs, where)
    adaptation = replace(ADAPTATION, steps=given["adapt_steps"])
    choice = known.Choice(wanted, given["without"], given["repeats"], adaptation, given["fit_steps"])
    networks, notes = find_perceptual(where)
    chosen = known.choose_methods(trained, choice, where)
    measured = measure(opened, split, chosen, out, networks, given["configs"], given["allow_seen"])
    untold: Sequence[str] = [
        f"Which characters {run.path} was trained on is not known: it has no {SEEN_FILE}."
        for run in trained
        if run.seen.training is None
    ]
    characters = len({score.character for score in measured.scores})
    few = f"Below {FEWEST} characters no method is called better or worse; these are {characters}."
    found = replace(measured, notes=(*untold, *notes, *([few] if characters < FEWEST else ())))
    text, document = write_evaluation(found, out)
    gallery = gallery_of_evaluation(str(out))
    write_page(gallery, sections_of_evaluation(out, gallery), out / REPORT, Progress())
    folder = argument(out)
    facts = {
        "compared": [", ".join(found.labels)],
        "note": list(found.notes),
        "tables": [str(out / TABLES)],
        "report": [str(out / REPORT)],
        "next": [f"specsia turntable {folder} --out turntable.webp", f"specsia sheet {folder} --out sheet.png"],
    }
    title = f"{plural(len(found.labels), 'method')} on {plural(characters, 'character')} of {dataset}"
    conclude(document, text.split("\n"), title, facts)


@command("specsia repair drawing.png --out hero", "specsia repair drawing.png --mesh hero.glb --out hero")
@click.argument("subject", metavar="DRAWING|CHARACTER")
@click.option("--mesh", type=click.Path(exists=True, path_type=Path), help="Its reconstruction by any tool.")
@click.option("--back", type=OLD_FILE, help="The character drawn from behind, for the backend relief.")
@click.option("--motion", metavar="NAME|FILE", help="Play a motion; the mesh or the character needs a rig.")
@click.option("--out", required=True, type=FOLDER, help="Folder of the results: new, empty, or of an earlier repair.")
@click.option("--backend", metavar="NAME[:ARG]", help="What reconstructs the drawing.  [default: that of build]")
@click.option("--model", metavar="RUN", help="Run of `specsia train` or `adapt`.  [default: pretrained]")
@click.option("--adapt", is_flag=True, default=None, help="Fit the model to the drawing first, which takes longer.")
@click.option("--views", type=click.IntRange(1, 360), help="Frames of one turn.  [default: 36]")
@click.option("--size", type=click.IntRange(64, 2048), help="Pixels on a side of a frame.  [default: 512]")
@device
@json_option
def repair(subject: str, mesh: Path | None, out: Path, device: str, **given: Any) -> None:
    """Reconstruct a drawing, turn it, and repair each frame with the drawing.

    DRAWING is a character from the front, on transparency or on white paper. CHARACTER is a mesh file, a 3DBiCar folder
    or sample:N; its frontal render is the drawing.

    Writes the frames (color/, mask/, pos/), repaired/, a film of both side by side, sheet.png, and with --adapt the
    fitted model to --out.
    """
    need_torch()
    from specsia_build.repairing.repair import LAYERS, MODEL, SHEET, RepairSettings, run_repair

    settings = RepairSettings(**{name: value for name, value in given.items() if value is not None})
    done = run_repair(subject, mesh, settings, out, device)
    films = [str(film) for film in done.films]
    document = {
        "name": done.name,
        "frames": done.frames,
        "mesh": done.note,
        "repaired": str(out / LAYERS[3]),
        "model": None if done.adapted is None else str(out / MODEL),
        "films": films,
        "sheet": str(out / SHEET),
        "warnings": list(done.warnings),
    }
    lines = [f"frames: {', '.join(LAYERS[:3])} in {out}", f"repaired: {document['repaired']}"]
    lines += [] if done.adapted is None else [f"model: {document['model']}"]
    lines += [f"film: {', '.join(films)}", f"sheet: {document['sheet']}"]
    facts = {"mesh": [done.note], "warnings": list(done.warnings)}
    conclude(document, lines, f"{plural(done.frames, 'frame')} of {done.name} repaired", facts)
