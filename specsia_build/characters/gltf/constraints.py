"""A skeleton with all that its file says of nodes: what skins tell, and which follow others (VRMC_node_constraint)."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from specsia_build.animation.constraints import in_order
from specsia_build.animation.skeleton import Constraint, Following, Skeleton
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document
from specsia_build.characters.gltf.hierarchy import with_skins

_AXES = {
    "roll": ("X", "Y", "Z"),
    "aim": tuple(way + axis for way in ("Positive", "Negative") for axis in "XYZ"),
    "rotation": ("X",),
}


def completed(skeleton: Skeleton, document: Document, number: NDArray[np.int32]) -> tuple[Skeleton, tuple[str, ...]]:
    """A skeleton with what skins tell of its nodes, which follow others as the file says; and sentences on those that
    cannot.

    Args:
        skeleton: of the file's nodes.
        document: the file.
        number: (N,) each node's place in the skeleton.
    """
    skeleton = with_skins(skeleton, document, number)
    found, warnings = [], []
    for index, node in enumerate(document.entries(schema.Node)):
        stated = None if node.extensions is None else node.extensions.constraint
        if stated is None:
            continue
        try:
            found.append(_constraint(msgspec.convert(stated, schema.Follower), index, number))
        except ValueError as error:
            name = node.name or f"nodes[{index}]"
            warnings.append(f"{document.name}: '{name}' follows no other node, as its constraint is damaged ({error})")
    try:
        return replace(skeleton, constraints=in_order(found, skeleton)), tuple(warnings)
    except ValueError as error:
        return skeleton, (*warnings, f"{document.name} has nodes that {error}, so that none follows another")


def _constraint(follower: schema.Follower, node: int, number: NDArray[np.int32]) -> Constraint:
    said = follower.constraint
    ways: tuple[tuple[Following, schema.Following | None, str], ...] = (
        ("roll", said.roll, "" if said.roll is None else said.roll.roll_axis),
        ("aim", said.aim, "" if said.aim is None else said.aim.aim_axis),
        ("rotation", said.rotation, "X"),
    )
    for kind, stated, axis in ways:
        if stated is None:
            continue
        if stated.source >= len(number) or stated.source == node:
            raise ValueError("its source is no other node")
        if axis not in _AXES[kind]:
            raise ValueError(f"it has no axis '{axis}'")
        along = np.eye(3)["XYZ".index(axis[-1])] * (-1.0 if axis.startswith("Negative") else 1.0)
        weight = min(max(stated.weight, 0.0), 1.0)
        return Constraint(int(number[node]), int(number[stated.source]), kind, along, weight)
    raise ValueError("it is neither roll, aim nor rotation")
