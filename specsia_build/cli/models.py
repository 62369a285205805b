"""`specsia train`, `adapt`, `enhance`, `evaluate` and `repair`."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click import option

from specsia_build.cli.closing import as_json_by_name, warning_lines
from specsia_build.cli.command import (
    FOLDER,
    OLD_FILE,
    choice,
    comma_names,
    command,
    conclude,
    configs,
    device,
    json_option,
    of_characters,
)
from specsia_build.config import checked, types_of
from specsia_build.dravie.config import (
    ADAPTATION,
    DEFAULT_PRESET,
    PRESETS,
    Perceptual,
    Reference,
    TrainConfig,
    need_torch,
    train_config,
)
from specsia_build.dravie.evaluate.rows import DIFIX, FAST, FIT_STEPS, ROW_NAMES, rows_help
from specsia_build.dravie.runs import find_run, run_name
from specsia_build.errors import UsageError, WriteError, argument, no_such, plural
from specsia_build.warning import Warning, as_json

if TYPE_CHECKING:
    from specsia_build.dravie.evaluate.scores import Evaluation
    from specsia_build.repairing.folder import WrittenRepairs
    from specsia_build.repairing.writing import WrittenRepair

MOST_SENTENCES = 10  # Lines at the end of `evaluate`; the tables have the rest

FACINGS = click.Choice(("front", "left", "right", "back"))
OLD_PLACE = click.Path(exists=True, path_type=Path)

RESUMED = "the same command with --resume continues from the last checkpoint"


@command(
    "specsia train my-run/dataset --out drawn", "specsia train my-run/dataset --out drawn-quick --steps 100"
)
@click.argument("dataset", metavar="DATASET")
@option("--out", "run", type=FOLDER, required=True, help="Folder of the run.")
@option(
    "--preset", type=click.Choice(tuple(PRESETS)), help=f"Model and settings.  [default: {DEFAULT_PRESET}]"
)
@option("--steps", type=int, help="Updates to make.  [default: the preset's]")
@configs("Configuration of the dataset (a backend's name); may be repeated.  [default: its first]")
@device
@option("--seed", type=int, help="Seed of weights and patches.  [default: 0]")
@option("--reference", type=choice(Reference), help="Whether it sees the drawing.  [default: drawing]")
@option("--perceptual", type=choice(Perceptual), help="Perceptual loss.  [default: the preset's]")
@option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting of run.json.")
@option(
    "--checkpoint-every",
    type=click.IntRange(1),
    default=1000,
    help="Steps between checkpoints.  [default: 1000]",
)
@option("--resume", is_flag=True, help="Continue the training that --out holds.")
@json_option
def train(dataset: str, run: Path, preset: str | None, device: str, resume: bool, **options: Any) -> None:
    """Train DraViE on the train split of DATASET: a folder, a URL or a Hub id.

    --out receives checkpoints, log.csv, and validation/ with pictures of Z, the result and Y* side by side.
    """
    names = ("steps", "seed", "reference", "perceptual", "configs")
    changes = dict(map(_setting, options["settings"]))
    changes |= {name: options[name] for name in names if options[name] not in (None, ())}
    try:
        need_torch()
        from specsia_build.dravie.runs import read_run_config
        from specsia_build.dravie.train.train import train as run_train

        earlier = read_run_config(run) if resume else None
        if earlier is not None and preset in (None, earlier.preset):
            config = replace(earlier, **changes)
        else:
            config = train_config(preset or DEFAULT_PRESET, changes)
        every = options["checkpoint_every"]
        result = run_train(dataset, run, config, resume=resume, device_name=device, checkpoint_every=every)
    except WriteError as error:
        raise WriteError(f"{error}; {RESUMED}") from error
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"stopped; {RESUMED}") from error
    steps, rows = plural(result.steps, "step"), plural(result.rows, "row")
    folder = argument(result.run)
    speed = f"{result.patches_per_second:.0f} patches a second, perceptual loss: {result.perceptual}"
    lines = [f"{steps} on {rows}: {result.run} ({speed})"]
    if result.l1 is not None and result.raw_l1 is not None:
        errors = f"{result.l1:.4f}, before repair {result.raw_l1:.4f}"
        lines.append(f"validation frames: mean absolute error {errors}")
    evaluation = f"specsia evaluate {folder} {argument(dataset)} --out scores"
    follows = [f"specsia enhance {folder} my-frames --out repaired", evaluation]
    facts = {"warnings": list(map(str, result.warnings)), "model": [str(result.run)], "next": follows}
    document = {**vars(result), **as_json(result.warnings), "run": str(result.run)}
    conclude(document, lines, f"{steps} of training on {rows}", facts)


def _setting(text: str) -> tuple[str, Any]:
    """Parse `NAME=VALUE`, the value as the setting's type."""
    name, equals, value = text.partition("=")
    kinds = types_of(TrainConfig)
    if name not in kinds or name in ("preset", "configs") or not equals:
        raise UsageError(f"--set {text}: give NAME=VALUE with one of the names {', '.join(kinds)}")
    return name, checked(f"--set {text}", value, kinds[name], strict=False)


@command(
    "specsia adapt pretrained --frames my-frames --drawing front.png --out mine",
    "specsia adapt drawn --dataset my-run/dataset --character 0 --out drawn-0",
)
@click.argument("run", type=find_run)
@option("--out", type=FOLDER, required=True, help="Folder of the adapted run.")
@option("--dataset", metavar="DATASET", help="Dataset that holds the character.")
@option("--character", metavar="ID", help="Id of the character in --dataset.")
@option(
    "--config-name", "--backend", metavar="NAME", help="Configuration of the dataset.  [default: its first]"
)
@option("--frames", type=FOLDER, help="Folder of frames: color/, pos/ and, where color has no alpha, mask/.")
@option("--frame", metavar="NAME", help="Name of the frontal frame.  [default: the first]")
@option("--drawing", type=OLD_FILE, help="Drawing of the frontal view, any size, instead of Y*.")
@option("--steps", type=int, help=f"Updates to make.  [default: {ADAPTATION.steps}]")
@device
@json_option
def adapt(run: Path, out: Path, steps: int | None, device: str, **of_frontal: Any) -> None:
    """Fit the model of RUN lightly to one character's frontal view and write a run of its own.

    RUN is a folder of `specsia train`, or `pretrained`, the model in the package.

    The frontal view is a dataset's (with its Y*, or a drawing), or a frame with a drawing, which is laid onto
    it by its silhouette; of clips it is the first frame of the character's first clip that is seen from the
    front. The run keeps the drawing, which the model sees when it repairs.
    """
    need_torch()
    from specsia_build.dravie.adapt.adapt import FRONTAL_PICTURE, adapt_run
    from specsia_build.dravie.adapt.frontal import load_frontal

    settings = ADAPTATION if steps is None else replace(ADAPTATION, steps=steps)
    result = adapt_run(run, out, settings, device, load_frontal(**of_frontal))
    errors = f"mean absolute error {result.l1:.4f}, before {result.l1_before:.4f}"
    lines = [f"adapted in {result.seconds:.0f} s: {result.run}", f"frontal view {result.frontal}: {errors}"]
    if result.iou is not None:
        lines.append(f"the drawing lies on it with an IoU of {result.iou:.2f}")
    frames = argument(of_frontal["frames"] or of_frontal["dataset"])
    facts = {
        "warnings": list(map(str, result.warnings)),
        "model": [str(result.run)],
        "picture": [str(result.run / FRONTAL_PICTURE)],
        "next": [f"specsia enhance {argument(result.run)} {frames} --out repaired"],
    }
    document = {**result._asdict(), **as_json(result.warnings), "run": str(result.run)}
    conclude(document, lines, f"fitted to {result.frontal}", facts)


@command(
    "specsia enhance pretrained my-frames --out repaired",
    "specsia enhance drawn my-run/dataset --split test --out repaired-test",
    goes_on=True,
)
@click.argument("run", type=find_run)
@click.argument("source", metavar="INPUT")
@option("--out", required=True, type=FOLDER, help="Folder of the results.")
@option("--drawing", type=OLD_FILE, help="The character from the front, any size, for frames of a folder.")
@option("--reference-frame", "frame", metavar="NAME", help="Name of the frontal frame.  [default: the first]")
@option("--split", help="Split of a dataset: train, validation or test.  [default: all]")
@option(
    "--video", is_flag=True, help="Also write a film of Z beside the result; for clips one each, with Y*."
)
@device
def enhance(run: Path, source: str, out: Path, drawing: Path | None, **options: Any) -> None:
    """Repair every frame of INPUT with the model of RUN and write RGBA pictures to --out.

    RUN is a folder of `specsia train` or `specsia adapt`, or `pretrained`, the model in the package.
    INPUT is a dataset, or a folder of frames: color/, pos/ and, where color has no alpha, mask/, with a
    picture of the same name for every frame. Frames that are finished stay as they are, so that a stopped
    command continues. The model sees the drawing of --drawing, else the one that RUN was adapted to; of a
    dataset it sees Y* of each character's frontal view.
    """
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.dravie.adapt.frontal import frontal_frame
    from specsia_build.dravie.data.frame_folder import COLOR_FOLDER
    from specsia_build.dravie.drawing import NO_DRAWING
    from specsia_build.dravie.model.checkpoint import load_drawing, load_predictor
    from specsia_build.dravie.repair import enhance as work

    predictor = load_predictor(run, options["device"])
    config = predictor.config
    reference = load_drawing(run)
    frame, split = options["frame"], options["split"]
    warnings: tuple[Warning, ...] = ()
    of_folder = (Path(source) / COLOR_FOLDER).is_dir()
    if drawing is not None and not config.sees_drawing:
        raise UsageError("--drawing: this model was trained with --reference none and sees no drawing")
    if (frame and not drawing) or (drawing and not of_folder) or (split and of_folder):
        of_frames = "--drawing PNG [--reference-frame NAME] for a folder of frames"
        raise UsageError(f"--split is for a dataset, {of_frames}")
    if not of_folder:
        frames = work.dataset_frames(open_dataset(source), split, config.sees_drawing)
    else:
        if drawing is not None:
            frontal = frontal_frame(Path(source), frame, drawing)
            reference, warnings = frontal.drawn().drawing, frontal.warnings
        elif config.sees_drawing and reference is None:
            sentence = "this model repairs better with the drawing: add --drawing front.png"
            warnings = (Warning("drawing-advised", sentence, run_name(run)),)
        frames = work.folder_frames(Path(source), reference or NO_DRAWING)
    result = work.enhance(predictor, frames, out, options["video"])
    up_to_date = f", {result.kept} were already there" if result.kept else ""
    lines = [f"{plural(result.repaired, 'frame')} repaired{up_to_date}: {out}"]
    lines += [] if result.film is None else [f"film{'s' * result.film.is_dir()}: {result.film}"]
    name, folder = argument(source), argument(run_name(run))
    follows = [f"specsia evaluate {folder} {name} --out scores"]
    if of_folder:
        adapting = f"specsia adapt {folder} --frames {name} --drawing front.png --out mine"
        follows = [adapting] if reference is None else []
    facts = {
        "repaired": [f"{result.repaired:,}" if result.repaired else "nothing: all is up to date"],
        "warnings": [str(warning) for warning in (*warnings, *result.warnings)],
        "pictures": [str(out)],
        "next": follows,
    }
    conclude(None, lines, f"{plural(frames.count, 'frame')} of {source}", facts)


@command(
    "specsia evaluate pretrained my-run/dataset --out scores",
    "specsia evaluate drawn my-run/dataset --rows raw --out scores-drawn",
)
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=find_run)
@click.argument("dataset")
@option("--out", required=True, type=FOLDER, help="Folder of the tables, the figures and the results.")
@option(
    "--rows",
    "--baselines",
    default=",".join(FAST),
    show_default=True,
    callback=comma_names,
    metavar="NAME,...",
    help=f"Rows beside each model as it is and adapted, or none. {rows_help()}.",
)
@option(
    "--repeats", default=1, type=click.IntRange(1, 100), help="Seeds of adaptations and fits.  [default: 1]"
)
@configs("Configuration of DATASET to score; may be repeated.  [default: all]")
@option("--split", default="test", show_default=True, help="Split to score, which training did not see.")
@option("--weights", type=FOLDER, help="Folder of the measures' weights.  [default: downloaded once]")
@option("--adapt-steps", default=ADAPTATION.steps, type=click.IntRange(1), help="Updates of an adaptation.")
@option("--fit-steps", default=FIT_STEPS, type=click.IntRange(1), help="Updates of a fit from nothing.")
@device
@json_option
def evaluate(
    runs: tuple[Path, ...], dataset: str, out: Path, split: str, device: str, **options: Any
) -> None:
    """Compare the models of RUN... with baselines on the test characters of DATASET, frontal and novel views
    apart.

    A RUN is a folder of `specsia train` or `specsia adapt`, or `pretrained`, the model in the package.
    All methods are given each character's frontal pair: models as they are and adapted to it, baselines
    likewise. Runs that differ only in their seed are repeats of one method. --out receives tables.md,
    scores.csv, scores.json, every result as a picture, and report.html, which shows all of it.
    """
    need_torch()
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.dravie.evaluate import evaluate as work
    from specsia_build.dravie.evaluate.difix import difix_painter
    from specsia_build.dravie.evaluate.methods import choose_methods, load_runs
    from specsia_build.dravie.evaluate.perceptual import find_networks
    from specsia_build.dravie.model.devices import find_device
    from specsia_build.dravie.runs import SEEN_FILE
    from specsia_build.look.evaluation import REPORT
    from specsia_build.look.page import refuse_other_file

    refuse_other_file(out / REPORT)
    rows = [name for name in options["rows"] if name != "none"]
    if unknown_names := [name for name in rows if name not in ROW_NAMES]:
        raise UsageError(no_such("row", unknown_names[0], ROW_NAMES))
    opened, where = open_dataset(dataset), find_device(device)
    trained = load_runs(runs, where)
    networks, absent = find_networks(where, options["weights"])
    adaptation = replace(ADAPTATION, steps=options["adapt_steps"])
    with difix_painter() if DIFIX in rows else nullcontext() as difix:
        enhancers = {} if difix is None else {DIFIX: difix}
        settings = options["repeats"], adaptation, options["fit_steps"]
        chosen = choose_methods(trained, rows, *settings, enhancers)
        scores = work.evaluate(opened, split, chosen, out, options["configs"], networks)
    unknown = [run.path for run in trained if run.seen.training is None]
    why = f"was trained on is not known: it has no {SEEN_FILE}."
    notes = [f"Which characters {path} {why}" for path in unknown]
    conclude_evaluation(replace(scores, notes=(*notes, *absent)), out, dataset)


def conclude_evaluation(scores: Evaluation, out: Path, dataset: str) -> None:
    """Write the tables and the page of an evaluation, and print what it found."""
    from specsia_build.dravie.evaluate.summary import FEWEST, write_evaluation
    from specsia_build.look.evaluation import REPORT, SCORE_TABLES
    from specsia_build.look.open import open_gallery
    from specsia_build.look.page import write_page

    characters = len({score.character for score in scores.scores})
    too_few = f"Below {FEWEST} characters no method is called better or worse; these are {characters}."
    scores = replace(scores, notes=(*scores.notes, *([too_few] if characters < FEWEST else ())))
    sentences, document = write_evaluation(scores, out)
    sentences = sentences[:MOST_SENTENCES]
    gallery, sections = open_gallery(str(out))
    write_page(gallery, sections(), out / REPORT)
    folder = argument(out)
    follows = [f"turntable {folder} --out turntable.webp", f"sheet {folder} --out sheet.png"]
    facts = {
        "compared": [", ".join(scores.labels())],
        "note": list(scores.notes),
        "tables": [str(out / SCORE_TABLES)],
        "report": [str(out / REPORT)],
        "next": [f"specsia {name}" for name in follows],
    }
    title = f"{plural(len(scores.labels()), 'method')} on {plural(characters, 'character')} of {dataset}"
    conclude(document, sentences, title, {"results": sentences, **facts})


@command("specsia repair drawing.png --out hero", "specsia repair drawings --out heroes", goes_on=True)
@click.argument("subject", metavar="DRAWING|CHARACTER|FOLDER", required=False)
@option(
    "--out", required=True, type=FOLDER, help="Folder of the results: new, empty, or of an earlier repair."
)
@option("--back", type=OLD_FILE, help="The character drawn from behind, for relief and the model.")
@option(
    "--side",
    metavar="left:FILE|right:FILE",
    help="The character drawn from its left side, so that it looks to the left, or right, for relief.",
)
@option(
    "--sheet", type=OLD_FILE, help="Model sheet in place of DRAWING: front, side and back beside each other."
)
@option("--order", metavar="ROLES", help="Roles of a sheet's figures: front,side,back.  [default: detected]")
@option(
    "--outline", metavar="NAME", help="keep, none, or COLOUR[:WIDTH], as black or #204080:3.  [default: keep]"
)
@option("--figure", type=click.IntRange(1, 999), help="Repair only figure N, in reading order.")
@option("--facing", type=FACINGS, help="Side that the drawing shows.  [default: detected]")
@option("--mask", type=OLD_FILE, help="Black-and-white picture of the drawing's size: white is the figure.")
@option("--pixel", is_flag=True, default=None, help="Pixel art: keep its pixels, and do not run the model.")
@option("--ground", metavar="COLOUR", help="Background of the films.  [default: transparent; MP4: white]")
@option("--seconds", type=click.FloatRange(0.1, 3600), help="Seconds of one turn.  [default: 3]")
@option("--fps", type=click.FloatRange(0.1, 60), help="Frames a second.  [default: 12]")
@option("--views", type=click.IntRange(1, 360), help="Frames of one turn, in place of --fps.  [default: 36]")
@option("--size", type=click.IntRange(64, 2048), help="Pixels on a side of a frame.  [default: 512]")
@option("--mesh", type=OLD_PLACE, help="Use this reconstruction of the drawing, made by any tool.")
@option("--motion", metavar="NAME|FILE", multiple=True, help="Play a motion; repeat it to play several.")
@option("--joints", type=OLD_FILE, help="joints.json of an earlier repair, with corrected joints.")
@option("--backend", metavar="NAME[:ARG]", help="Backend that reconstructs the drawing.  [default: relief]")
@option("--model", metavar="RUN", help="Run of `specsia train` or `adapt`.  [default: pretrained]")
@option("--adapt", is_flag=True, default=None, help="Fit the model to the drawing first, which takes longer.")
@of_characters
@device
@json_option
def repair(subject: str | None, out: Path, device: str, **options: Any) -> None:
    """Reconstruct a drawing, turn it, and repair each frame with the drawing.

    DRAWING is a character, best from the front, on transparency or on white paper; --sheet takes its place.
    CHARACTER is a mesh file, a 3DBiCar folder or sample:N; its frontal render is the drawing. With a FOLDER
    each drawing in it is repaired, into a folder of its own; finished repairs are kept.

    --out receives films of the repaired figure (turn.webp, turn.gif, turn.mp4), compare.webp, sheet.png, the
    character in 3D (character.glb), and the frames (color/, mask/, pos/, repaired/).
    """
    from specsia_build.repairing.folder import drawings_in, repair_folder
    from specsia_build.repairing.settings import RepairSettings
    from specsia_build.repairing.writing import run_repair

    settings = RepairSettings.of(options)
    drawings = None if subject is None else drawings_in(subject)
    if drawings is None:
        _conclude_repair(run_repair(subject, settings, out, device), out)
    else:
        _conclude_repairs(repair_folder(drawings, settings, out, device), out)


def _conclude_repair(result: WrittenRepair, out: Path) -> None:
    from specsia_build.look.repair import CHARACTER_FILE, COMPARE, REPAIR_LAYERS, REPAIR_SHEET, REPAIRED
    from specsia_build.repairing.repair import BACK_GUESSED

    films = [str(film) for film in result.films]
    document = {
        "name": result.name,
        "frames": result.frames,
        "mesh": result.note,
        "repaired": str(out / REPAIRED),
        "model": None if result.model is None else str(result.model),
        "films": films,
        "compare": str(out / COMPARE),
        "sheet": str(out / REPAIR_SHEET),
        "character": str(out / CHARACTER_FILE),
        "back_guessed": result.back_guessed,
        **as_json(result.warnings),
    }
    if result.roles:
        document["roles"] = list(result.roles)
    lines = [f"frames: {', '.join(REPAIR_LAYERS)} in {out}", f"films: {', '.join(films)}"]
    others = {name: document[name] for name in ("compare", "sheet", "character", "model")}
    lines += [f"{name}: {path}" for name, path in others.items() if path is not None]
    if result.roles:
        lines.append(f"figures of the sheet: {', '.join(result.roles)} (change them with --order ROLES)")
    lines += [f"warning: {warning}" for warning in result.warnings]
    if result.back_guessed:
        lines.append(BACK_GUESSED)
    facts = {"mesh": [result.note], "next": [f"specsia report {argument(out)}"]}
    conclude(document, lines, f"repaired {result.name}: {plural(result.frames, 'frame')}", facts)


def _conclude_repairs(result: WrittenRepairs, out: Path) -> None:
    from specsia_build.repairing.repair import BACK_GUESSED

    repaired, failed = len(result.repaired), len(result.failed)
    document = {
        "repaired": {name: str(out / name) for name in result.repaired},
        "kept": list(result.kept),
        "failed": dict(result.failed),
        **as_json_by_name(result.warnings),
        "back_guessed": result.back_guessed,
    }
    kept = f", {len(result.kept)} were already there" if result.kept else ""
    lines = [f"{plural(repaired, 'drawing')} repaired{kept}: {out}"]
    lines += [f"warning: {line}" for line in warning_lines(result.warnings)]
    lines += [f"failed: {name}: {sentence}" for name, sentence in result.failed.items()]
    if result.back_guessed:
        lines.append(BACK_GUESSED)
    title = f"{plural(repaired + len(result.kept) + failed, 'drawing')}, {failed} failed"
    conclude(document, lines, title, {"next": [f"specsia report {argument(out)}"]}, ok=not failed)
