"""The nodes of a glTF file as one of its animations has them at a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.actions import FRAMES, chosen, unknown_action
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, denormalise
from specsia_build.errors import CharacterError

_WIDTHS = {"translation": 3, "rotation": 4, "scale": 3}


def posed_nodes(document: Document, pose: str) -> list[schema.Node]:
    """The file's nodes in a pose.

    Args:
        document: the file.
        pose: ``rest``, or an action's name with an optional frame, 24 a second from 0 on, as `actions.chosen` reads it;
            without one the action's first.

    Raises:
        CharacterError: if no action is so named, or it is damaged.
    """
    nodes = document.entries(schema.Node)
    if pose == "rest":
        return nodes
    animations = document.entries(schema.Animation)
    names = [animation.name or "" for animation in animations]
    indices, frame = chosen(names, pose)
    if not indices:
        raise CharacterError(unknown_action(document.name, pose, names))
    time = _start(document, [animations[index] for index in indices]) if frame is None else frame / FRAMES
    for index in indices:
        _pose(document, nodes, index, time)
    return nodes


def _start(document: Document, animations: Sequence[schema.Animation]) -> float:
    firsts = [document.accessor(c.input)[:1].min(initial=np.inf) for a in animations for c in a.samplers or ()]
    return float(min(firsts, default=0.0))


def _pose(document: Document, nodes: list[schema.Node], index: int, time: float) -> None:
    """Put what an animation moves where it is at a time, in seconds."""
    animation = document.entry(schema.Animation, index)
    curves = animation.samplers or ()
    for number, channel in enumerate(animation.channels or ()):
        node, path, place = channel.target.node, channel.target.path, f".channels[{number}]"
        if node is None or path not in (*_WIDTHS, "weights"):
            continue
        if node >= len(nodes) or channel.sampler >= len(curves):
            raise document.error(schema.Animation, index, "names a node or sampler that does not exist", place)
        values = _at(document, curves[channel.sampler], time, turning=path == "rotation")
        if values is None or len(values) != _WIDTHS.get(path, len(values)):
            raise document.error(schema.Animation, index, "has other values than its times ask for", place)
        nodes[node] = msgspec.structs.replace(nodes[node], **{path: tuple(values.tolist()), "matrix": None})


def _at(document: Document, curve: schema.Curve, time: float, turning: bool) -> NDArray[np.float64] | None:
    """The values (W,) of a curve at a time, held before its first and after its last; None where they do not fit."""
    times, stored = document.accessor(curve.input), document.accessor(curve.output)
    smooth = curve.interpolation == "CUBICSPLINE"
    keys, rows = len(times), len(stored)
    per_key = rows // keys if keys else 0
    if times.shape[1] != 1 or per_key == 0 or per_key * keys != rows or (smooth and per_key % 3):
        return None
    after = int(np.clip(np.searchsorted(times[:, 0], time, side="right"), 1, max(keys - 1, 1)))
    pair = [after - 1, min(after, keys - 1)]
    normalised = document.entry(schema.Accessor, curve.output).normalized is True
    chosen_rows = np.concatenate([stored[per_key * key : per_key * (key + 1)] for key in pair])
    plain = denormalise(chosen_rows) if normalised else chosen_rows
    values = plain.astype(np.float64).reshape(2, 3 if smooth else 1, -1)
    begin, end = (float(times[key, 0]) for key in pair)
    share = min(1.0, max(0.0, (time - begin) / (end - begin))) if end > begin else 0.0
    if curve.interpolation == "STEP":
        share = float(share >= 1)
    if smooth:
        return _spline(values, share, end - begin)
    return _slerp(values[0, 0], values[1, 0], share) if turning else values[0, 0] * (1 - share) + values[1, 0] * share


def _spline(values: NDArray[np.float64], share: float, seconds: float) -> NDArray[np.float64]:
    """Between two keys, each of an incoming tangent, a value and an outgoing tangent, (2, 3, W)."""
    s, s2, s3 = share, share**2, share**3
    begin, end = (2 * s3 - 3 * s2 + 1) * values[0, 1], (3 * s2 - 2 * s3) * values[1, 1]
    leaving, coming = (s3 - 2 * s2 + s) * values[0, 2], (s3 - s2) * values[1, 0]
    blended: NDArray[np.float64] = begin + end + seconds * (leaving + coming)
    return blended


def _slerp(begin: NDArray[np.float64], end: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Between two quaternions the shorter way round, of any length."""
    cosine = float(begin @ end)
    end, cosine = (-end, -cosine) if cosine < 0 else (end, cosine)
    angle = float(np.arccos(min(1.0, cosine)))
    if angle < 1e-4:
        return begin * (1 - share) + end * share
    turned: NDArray[np.float64] = (np.sin((1 - share) * angle) * begin + np.sin(share * angle) * end) / np.sin(angle)
    return turned
