"""Cost of each stage, beside a peer measured in the same run: ``python -m benchmarks COMMAND``.

Machines differ and are noisy, so compare the ratio to the peer between them, not the seconds. Every command
prints one JSON document.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import stages
from specsia_build.dravie.config import PRESETS

SAMPLE = "sample:4"
RECORDED = Path(__file__).parent / "recorded.json"  # Seconds of stages, see `stages.compare`


def _print(report: dict[str, Any]) -> None:
    click.echo(json.dumps(report, indent=1))


def _drawing(command: Callable[..., None]) -> Callable[..., None]:
    """Add the source and the options of what draws."""
    for option in (
        click.option("--limit", type=int, help="Only the first characters of the source."),
        click.option("--views", type=int, default=10, show_default=True),
        click.option(
            "--size", type=int, default=512, show_default=True, help="Pixels on a side of every image."
        ),
        click.argument("source", default=SAMPLE),
    ):
        command = option(command)
    return command


@click.group()
def main() -> None:
    """Measure the build, the renderer, clips, loading and training on one core."""


@main.command("stages")
@_drawing
@click.option(
    "--backend", "backends", multiple=True, default=("relief", "fusion"), show_default="relief and fusion"
)
@click.option("--record", is_flag=True, help="Keep the seconds, for ratios of later runs to them.")
def stages_command(
    source: str, size: int, views: int, limit: int | None, backends: tuple[str, ...], record: bool
) -> None:
    """Build SOURCE by one worker, once for each backend: seconds per character of each stage, also as ratios
    to those last recorded of the same settings, and of writing pictures and rows by a peer."""
    settings = [stages.Setting(size, views, backend, limit) for backend in backends]
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        reports = {
            setting.backend: stages.measure(source, setting, Path(folder) / str(k))
            for k, setting in enumerate(settings)
        }
    stages.compare(reports, RECORDED, record=record)
    _print(reports)


@main.command("renderers")
@_drawing
@click.option("--look", type=click.Choice(("unlit", "lit")), default="unlit", show_default=True)
@click.option("--against", multiple=True, required=True, help="Renderer to compare with; may be repeated.")
def renderers_command(
    source: str, size: int, views: int, limit: int | None, look: Any, against: tuple[str, ...]
) -> None:
    """Draw the same views by `fast` and by others: milliseconds a view, and how alike they are."""
    from benchmarks.renderers import measure
    from specsia_build.config import BuildConfig

    config = BuildConfig(source=source, size=size, views=views, look=look, limit=limit)
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        _print(measure(against, config, Path(folder)))


@main.command("views")
@click.argument("source", default=SAMPLE)
@click.option("--cameras", "rig", default="random:32", show_default=True, help="Rig of the views.")
@click.option("--size", type=int, default=512, show_default=True, help="Pixels on a side of every image.")
@click.option("--limit", type=int, help="Only the first characters of the source.")
@click.option("--peer", "peers", multiple=True, help="cycles, pyrender, or parity for a comparison.")
def views_command(source: str, rig: str, size: int, limit: int | None, peers: tuple[str, ...]) -> None:
    """Write colour, depth and normals of a rig's views: cost per view beside the render stage's."""
    from benchmarks.views import measure
    from specsia_build.cameras.rigs import parse_rig
    from specsia_build.config import BuildConfig

    config = BuildConfig(source=source, size=size, limit=limit)
    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        _print(measure(parse_rig(rig), config, peers, Path(folder)))


@main.command("clips")
@click.argument("source", default=SAMPLE)
@click.option("--size", "sizes", type=int, multiple=True, default=(256, 512), show_default=True)
def clips_command(source: str, sizes: tuple[int, ...]) -> None:
    """Draw the clips of SOURCE by one worker: frames a second, beside each frame as a still of its own."""
    from benchmarks.clips import measure

    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        _print(measure(source, sizes, Path(folder)))


@main.command("load")
@click.argument("dataset")
def load_command(dataset: str) -> None:
    """Read rows of DATASET beside a folder of PNGs, and cut patches."""
    from benchmarks.loading import measure_loader, measure_rows, open_frames

    with tempfile.TemporaryDirectory(prefix="specsia-bench-") as folder:
        _print({"rows": measure_rows(dataset, Path(folder)), "loader": measure_loader(open_frames(dataset))})


@main.command("train")
@click.argument("dataset")
@click.option("--preset", type=click.Choice(tuple(PRESETS)), default="paper", show_default=True)
@click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), default="auto", show_default=True)
def train_command(dataset: str, preset: str, device: str) -> None:
    """Take training steps on DATASET in turn with the plainly written step."""
    from benchmarks.loading import open_frames
    from benchmarks.training import measure

    _print(measure(open_frames(dataset), preset, device))


if __name__ == "__main__":
    main()
