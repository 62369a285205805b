"""What the page asks for, done in a process of its own: look at a drawing, and repair it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from specsia_build.arrays import Doubles
from specsia_build.errors import SpecsiaError
from specsia_build.look.repair import REPAIRED
from specsia_build.memory import memory_bytes
from specsia_build.pictures.films import over
from specsia_build.pool import Lost, Pool
from specsia_build.repairing.drawing import PROFILES, DrawingSettings, read_drawing
from specsia_build.repairing.moving import found_joints, joints_of_drawing
from specsia_build.repairing.settings import RepairSettings
from specsia_build.repairing.writing import WrittenRepair, run_repair
from specsia_build.rigging.joints import Joints

_Result = TypeVar("_Result")

_MEMORY, _SECONDS = "4 GB", 600.0  # What one job may use
_WAIT = 0.3  # Seconds between two looks at a job
_PRELOADED = ("specsia_build.web.jobs",)


@dataclass(frozen=True)
class FoundFigure:
    """What was found in a drawing."""

    preview: Path  # File of the figure as it was cut out, framed, 512 pixels on a side
    sentences: tuple[str, ...]  # What was decided, and warnings
    joints: Joints | None  # Of a person, in pixels of the preview


@dataclass(frozen=True)
class Order:
    """A drawing to repair, and the folder to write."""

    drawing: Path
    out: Path
    options: dict[str, Any] = field(default_factory=dict)  # Those of `specsia repair`
    places: Doubles | None = None  # (22, 2), of joints in the preview that the visitor has looked at


def look_at(order: Order) -> FoundFigure:
    """Cut a drawing out as a repair does; raises `SpecsiaError` with a sentence if that cannot be done."""
    front = read_drawing(order.drawing, DrawingSettings())
    joints = found_joints(front)
    is_person = joints.kind == "person" and front.facing not in PROFILES
    order.out.mkdir(parents=True, exist_ok=True)
    preview = order.out / "preview.png"
    Image.fromarray(over(front.image, 240)).save(preview)
    contour = front.contour or {}
    kept = "Its contour is kept." if contour.get("kept") else "It has no contour to keep."
    shown = {"left": "its left side", "right": "its right side", "back": "its back"}
    facing = f"The drawing shows {shown.get(front.facing, 'the front')}."
    kind = "" if is_person else " No arms and legs were found, so it can turn, bounce and sway."
    sentences = (f"{facing} {kept}{kind}", *(f"⚠ {warning}" for warning in front.warnings))
    return FoundFigure(preview, sentences, joints if is_person else None)


def repair(order: Order) -> WrittenRepair:
    """Repair a drawing; see `writing.run_repair`."""
    options = dict(order.options)
    if order.places is not None:
        front = read_drawing(order.drawing, DrawingSettings())
        options["joints"] = order.out.with_name("joints.json")
        joints = replace(found_joints(front), pixels=order.places)
        options["joints"].write_bytes(joints_of_drawing(joints, front))
    return run_repair(order.drawing, RepairSettings.of(options), order.out)


def run(
    function: Callable[[Order], _Result], order: Order, tell: Callable[[float], object] = lambda share: None
) -> _Result:
    """Run a job in a process of its own; calls `tell` with the share of frames that are written.

    Raises `SpecsiaError` if it fails, takes too long or needs too much memory.
    """
    frames = RepairSettings.of(order.options).views
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(_in_process, function, order)
        while not future.done():
            # The folder has another name until it is whole.
            written = len([*order.out.parent.glob(f"*/{REPAIRED}/*.png")])
            tell(min(written / frames, 1.0))
            wait([future], _WAIT)
        return future.result()


def _in_process(function: Callable[[Order], _Result], order: Order) -> _Result:
    pool = Pool(1, _SECONDS, memory_bytes(_MEMORY), _PRELOADED)
    with closing(pool.run(function, [order])) as results:
        ((_, result),) = results
    if isinstance(result, Lost):
        raise SpecsiaError(f"{order.drawing.name} could not be repaired: {result.reason}")
    return result


def example_drawings(folder: Path) -> list[Path]:
    """Write ten drawings of procedural characters, CC0, for visitors without one of their own."""
    from specsia_build.characters.samples.make import draw_front, make_sample

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(10):
        colour, mask = draw_front(make_sample(0, number))
        path = folder / f"example-{number + 1}.png"
        Image.fromarray(np.dstack([colour, mask])).save(path)
        paths.append(path)
    return paths
