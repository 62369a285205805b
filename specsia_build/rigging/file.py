"""`joints.json`: the joints of a drawing in pixels of its own file, for a person to correct."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from specsia_build.errors import SpecsiaError, UsageError, brief, no_such
from specsia_build.files.records import read_json
from specsia_build.rigging.joints import JOINTS, FigureKind, Joints

_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_Place = Annotated[float, msgspec.Meta(ge=-100_000, le=100_000)]


class JointRecord(msgspec.Struct, forbid_unknown_fields=True):
    """A joint of the file: column and row, or null where the drawing does not show it; see `Joints`."""

    pixel: tuple[_Place, _Place] | None
    inside: _Share = 0.5
    confidence: _Share = 1.0


class JointsRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The file: width and height of the drawing in pixels, the kind of figure, and its joints by name."""

    size: tuple[int, int]
    joints: dict[str, JointRecord]
    kind: FigureKind = "person"
    certainty: _Share = 1.0


def joints_json(joints: Joints, size: tuple[int, int]) -> bytes:
    """The file of joints in pixels of a drawing, whose width and height in pixels are `size`."""
    places = np.round(joints.pixels, 1).tolist()
    records = {}
    for name, place, inside, confidence in zip(
        JOINTS, places, joints.inside.tolist(), joints.confidence.tolist(), strict=True
    ):
        pixel = (place[0], place[1]) if confidence > 0 else None
        records[name] = JointRecord(pixel, round(inside, 3), round(confidence, 3))
    whole = JointsRecord(size, records, joints.kind, round(joints.certainty, 3))
    lines = [
        f"  {json.dumps(name)}: {json.dumps(msgspec.to_builtins(record))}" for name, record in records.items()
    ]
    head = json.dumps({**msgspec.to_builtins(whole), "joints": None}, indent=1)
    return head.replace('"joints": null', '"joints": {\n' + ",\n".join(lines) + "\n }").encode()


def read_joints(path: Path, size: tuple[int, int]) -> Joints:
    """Read a file of joints, in pixels of a drawing of a width and height in pixels.

    A joint that is left out counts as not drawn. Raises `UsageError` if there is no such file, it holds
    something else, or belongs to a drawing of another size.
    """
    try:
        record = msgspec.convert(read_json(path, path.name), JointsRecord)
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {path}") from error
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{path.name} holds no joints ({brief(str(error), 120)}): take the joints.json that `specsia "
            "repair` wrote, and change places in it"
        ) from error
    except SpecsiaError as error:
        raise UsageError(str(error)) from error
    if unknown := [name for name in record.joints if name not in JOINTS]:
        raise UsageError(f"{path.name}: {no_such('joint', unknown[0], JOINTS)}")
    if record.size != size:
        (width, height), (wide, tall) = record.size, size
        raise UsageError(
            f"{path.name} is for a drawing of {width} x {height} pixels, and this one has {wide} x {tall}: "
            "give the file of this drawing"
        )
    joints = [record.joints.get(name, JointRecord(None)) for name in JOINTS]
    return Joints(
        np.array([(0.0, 0.0) if joint.pixel is None else joint.pixel for joint in joints]),
        np.array([joint.inside for joint in joints]),
        np.array([0.0 if joint.pixel is None else joint.confidence for joint in joints]),
        record.kind,
        record.certainty,
    )
