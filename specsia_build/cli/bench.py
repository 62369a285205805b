"""`specsia bench`."""

from __future__ import annotations

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specsia_build.cli.closing import conclude
from specsia_build.cli.command import Command
from specsia_build.cli.completion import CLIPS, LEARNING
from specsia_build.cli.output import Table, json_option
from specsia_build.config import BuildConfig, ClipSettings
from specsia_build.config_file import with_settings
from specsia_build.dravie.config import DEVICES, PRESETS, need_torch
from specsia_build.errors import SpecsiaError, UsageError, meant, plural

if TYPE_CHECKING:
    from specsia_build.pipeline.progress import Progress


BENCH_SOURCE = "sample:4"

REFERENCE = "reference"


@click.command(
    cls=Command,
    takes_source=True,
    examples=("specsia bench render --size 128 --views 4", "specsia bench load my-run/dataset"),
)
@click.argument("what", nargs=-1, metavar="[STAGE|clips [SOURCE] | load|train [DATASET]]")
@click.option("--size", type=int, help="Pixels on a side of every image.  [default: 512]")
@click.option("--views", type=int, help="Views around each character.  [default: 10]")
@click.option("--look", type=click.Choice(("unlit", "lit")), help="Flat colours, or one fixed light set.")
@click.option("--limit", type=int, help="Measure only the first so many characters of the source.")
@click.option(
    "--backend", "backends", multiple=True, metavar="NAME[:ARG]", help="Reconstruction backend.  [default: inflate]"
)
@click.option(
    "--against",
    metavar="NAME[,NAME]",
    help="With render: draw the same views with other renderers. With train: 'reference', the plainly written step.",
)
@click.option("--preset", type=click.Choice(tuple(PRESETS)), help="With train: what is trained.  [default: paper]")
@click.option("--device", type=click.Choice(DEVICES), help="With train: where.  [default: auto]")
@json_option
def bench(what: tuple[str, ...], against: str | None, preset: str | None, device: str | None, **flags: Any) -> None:
    """Measure what a STAGE costs per character of SOURCE on one core, next to a peer in the same run.

    STAGE is render, reconstruct, project or pack, and all of them without it; SOURCE is sample:4 without it. `clips`
    measures frames a second of SOURCE's first character that moves. `load`
    measures rows and patches a second from DATASET, `train` patches a second of whole training steps; without DATASET
    on a small one of sample:2.
    """
    from specsia_build.pipeline.settings import stated

    given = stated(flags)
    lines: list[str] | list[str | Table]
    if what and what[0] in LEARNING:
        report = _learning(what, against, preset, device, given)
        measured, lines = list(what[:1]), _learnt(report)
    elif what and what[0] == CLIPS:
        report = _clips(what, given | stated({"against": against, "preset": preset, "device": device}))
        measured, lines = list(what[:1]), _moved(report)
    else:
        report, lines = _stages(what, against, preset, device, given)
        measured = list(report.get("stages", ("render",)))
    alone = [name for name, found in report.get("stages", {}).items() if "peer" not in found]
    if measured == ["train"] and against is None:
        alone, follows = measured, shlex.join(["specsia", "bench", *what, "--against", REFERENCE])
    else:
        follows = "specsia doctor"
    conclude(
        report,
        lines,
        f"{', '.join(measured)} on this machine",
        {"measured": [f"{name} beside {against or 'its peer'}" for name in measured if name not in alone]},
        doubtful={"no peer": [f"{name}: its seconds tell nothing of another machine" for name in alone]},
        follows=[follows],
    )


def _option(name: str) -> str:
    """What the command line calls a setting."""
    return "backend" if name == "backends" else name


def _stages(
    what: tuple[str, ...], against: str | None, preset: str | None, device: str | None, given: dict[str, Any]
) -> tuple[dict[str, Any], list[str | Table]]:
    """A report on stages or renderers, and its lines."""
    from specsia_build.bench.against import bench_against
    from specsia_build.bench.stages import bench as run_bench
    from specsia_build.pipeline.progress import Progress
    from specsia_build.stages import reconstruct, render
    from specsia_build.stages.registry import STAGES, stage_names

    if preset is not None or device is not None:
        raise UsageError("--preset and --device are for 'specsia bench train'")
    names = stage_names()
    stage = what[0] if what and what[0] in names else None
    rest = what[1:] if stage else what
    if len(rest) > 1:
        known = (*names, CLIPS, *LEARNING)
        raise click.UsageError(
            f"'{rest[0]}' is no stage ({', '.join(known)}), so '{rest[1]}' is one argument too many."
            f"{meant(rest[0], known)}"
        )
    asked = [one for one in STAGES if stage in (None, one.name)]
    if "backends" in given and not any(reconstruct.STAGE in (one, *one.rests_on) for one in asked):
        raise UsageError(f"'specsia bench {stage}' takes no --backend: it comes before all reconstruction")
    if len(given.get("backends", ())) > 1:
        raise UsageError("one backend is measured at a time: give --backend once")
    source = rest[0] if rest else BENCH_SOURCE
    config = with_settings(BuildConfig(), given | {"source": source}, "the command line")
    if against is not None and stage != render.STAGE.name:
        raise UsageError("--against compares renderers: say 'specsia bench render SOURCE --against NAME'")
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        if against is not None:
            compared = bench_against(against.split(","), config, Path(folder), Progress())
            return compared, _compared(compared)
        report = run_bench([stage] if stage else names, config, Path(folder), Progress())
    return report, _text(report)


def _clips(what: tuple[str, ...], given: dict[str, Any]) -> dict[str, Any]:
    from specsia_build.bench.clips import bench_clips
    from specsia_build.pipeline.progress import Progress

    if len(what) > 2:
        raise click.UsageError(f"'clips' takes one source, so '{what[2]}' is one argument too many")
    source = what[1] if len(what) == 2 else BENCH_SOURCE
    unknown = sorted(map(_option, given.keys() - {"views", "look", "limit"}))
    if unknown:
        why = ": it measures 256 and 512 pixels" if unknown[0] == "size" else ""
        raise UsageError(f"'specsia bench clips' takes no --{unknown[0]}{why}")
    settings = ClipSettings(views=given.pop("views", 1))
    config = with_settings(BuildConfig(), given, "the command line")
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        return bench_clips(source, config, settings, Path(folder), Progress())


def _moved(report: dict[str, Any]) -> list[str | Table]:
    lines = [
        f"{report['source']}: {report['character']}, {plural(report['triangles'], 'triangle')}, "
        f"{plural(report['clips'], 'clip')}; colour, mask and positions, encoded and stored"
    ]
    rows = []
    for size, found in report["sizes"].items():
        peer = found["peer"]
        of_two, times = found["frames_per_second_of_two_processes"], f"{peer['times_faster']} x"
        more = f"{found['annotated']['annotations_to_frame']} x"
        rows.append(
            (size, found["frames"], found["ms_per_frame"], found["frames_per_core_second"], of_two, times, more)
        )
    head = (
        "px",
        "frames",
        "ms a frame",
        "frames per core second",
        "frames a second, two processes and their start",
        "as fast as stills",
        "lines, segments and flow cost",
    )
    return [
        *lines,
        Table(head, rows, right=(0, 1, 2, 3, 4, 5, 6)),
        f"the largest process had {report['peak_mb']} MB",
    ]


def _learning(
    what: tuple[str, ...], against: str | None, preset: str | None, device: str | None, given: dict[str, Any]
) -> dict[str, Any]:
    from specsia_build.bench.load import bench_frames, bench_load
    from specsia_build.bench.rows import bench_rows
    from specsia_build.dataset.reading import open_dataset
    from specsia_build.pipeline.progress import Progress

    if len(what) > 2:
        raise click.UsageError(f"'{what[0]}' takes one dataset, so '{what[2]}' is one argument too many")
    if len(what) == 2 and given:
        raise UsageError(f"--{_option(next(iter(given)))} is for the sample dataset, built where no DATASET is given")
    if what[0] == "load" and (against, preset, device) != (None, None, None):
        raise UsageError("--against, --preset and --device are for 'specsia bench train'")
    if against not in (None, REFERENCE):
        raise UsageError(f"'{against}' is not what a training step is compared with: say --against {REFERENCE}")
    if what[0] == "train":
        need_torch()
    progress = Progress()
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        dataset = what[1] if len(what) == 2 else _sample_dataset(given, Path(folder), progress)
        frames = bench_frames(dataset)
        if what[0] == "load":
            pictures = Path(folder) / "pictures"
            pictures.mkdir()
            return {"rows": bench_rows(open_dataset(dataset), pictures), "loader": bench_load(frames)}
    from specsia_build.bench.train import bench_train

    return bench_train(frames, preset or "paper", against is not None, device or "auto", progress)


def _sample_dataset(given: dict[str, Any], folder: Path, progress: Progress) -> str | Path:
    from specsia_build.pipeline.build import build as run_build
    from specsia_build.pipeline.layout import RunLayout
    from specsia_build.stages.registry import stage_names

    config = with_settings(BuildConfig(), {"source": "sample:2", "views": 4, "workers": 1} | given, "the command line")
    summary = run_build(config, RunLayout(folder), stage_names(), False, progress)
    if summary.dataset is None:
        raise SpecsiaError(f"the sample dataset could not be built: {summary.stopped}")
    return summary.dataset


def _learnt(report: dict[str, Any]) -> list[str]:
    loader = report["loader"]
    size = loader["patch"]
    lines = [
        f"rows decoded, {name}: {found['rows_per_second']} a second of one core, {found['times_as_fast']} times as "
        f"fast as {report['rows']['peer']} ({found['folder_rows_per_second']})"
        for name, found in (report.get("rows") or {}).items()
        if name in ("random", "streaming")
    ]
    lines += [
        f"loader alone, {loader['threads']} threads: {loader['patches_per_second']} patches of {size}x{size} a second, "
        f"{loader['patches_per_core_second']} in a second of one core"
    ]
    if "training" in report:
        lines.append(
            f"{report['preset']} training on {report['device']} in {report['precision']}, {report['threads']} threads, "
            f"{report['batch']} patches a step: {report['training']['patches_per_second']} patches a second"
        )
    if REFERENCE in report:
        theirs = report[REFERENCE]["patches_per_second"]
        lines.append(f"the plain step, float32: {theirs}; the training is {report['times_faster']} times as fast")
    return lines


def _text(report: dict[str, Any]) -> list[str | Table]:
    lines: list[str | Table] = [
        f"{report['source']}: {plural(report['characters'], 'character')}, {plural(report['views'], 'view')}, "
        f"{report['size']} px, one core"
    ]
    rows: list[tuple[object, ...]] = []
    for stage, found in report["stages"].items():
        rows.append((stage, "", f"{1000 * found['seconds_per_character']:.1f}", ""))
        for part, seconds in found.get("seconds_by_part", {}).items():
            rows.append(("", part, f"{1000 * seconds:.1f}", f"{100 * found['share_by_part'][part]:.0f} %"))
    lines.append(Table(("stage", "part", "ms per character", "share"), rows, right=(2, 3)))
    for stage, found in report["stages"].items():
        if "ms_per_view" in found:
            lines.append(f"{stage}: {found['ms_per_view']} ms per view for colour, coverage and position")
        if "peer" in found:
            peer = found["peer"]
            lines.append(f"{stage}, {peer['of']}: {peer['times_faster']} times as fast as {peer['name']}")
    return lines


_FIGURES = (
    ("iou", 1, 5),
    ("coverage_mae", 1, 5),
    ("coverage_edge_mae", 1, 4),
    ("color_mae", 1, 3),
    ("color_p99", 1, 0),
    ("position_p95", 1, 3),
    ("position_off", 100, 4),
)
"""Figures of a parity that are shown, what they are multiplied by, and their digits."""


def _compared(report: dict[str, Any]) -> list[str | Table]:
    lines: list[str | Table] = [
        f"{report['source']}: {plural(report['views'], 'view')}, {report['size']} px, {report['look']}"
    ]
    for name, found in report["against"].items():
        lines.append(
            f"{report['renderer']} takes {found['ms_per_view']} ms per view, {name} {found['its_ms_per_view']}: "
            f"{found['times_faster']} times"
        )
        rows = [
            (
                character,
                *(f"{scale * p[key]:.{digits}f}" if key in p else "-" for key, scale, digits in _FIGURES),
            )
            for character, p in (*found["characters"].items(), ("all", found["parity"]))
        ]
        head = ("character", "IoU", "coverage", "at edges", "colour", "99 %", "position", "off %")
        lines.append(Table(head, rows, right=(1, 2, 3, 4, 5, 6, 7)))
    return lines
