"""The places at which a node of a glTF file puts its mesh: one, or those of EXT_mesh_gpu_instancing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from specsia_build import memory
from specsia_build.animation.skeleton import composed
from specsia_build.characters.gltf import schema
from specsia_build.characters.gltf.document import Document, denormalise

_COPY_COST = 1000
"""Bytes of memory of a copy, besides what its mesh takes."""

_KINDS = {"TRANSLATION": (0.0, 0.0, 0.0), "ROTATION": (0.0, 0.0, 0.0, 1.0), "SCALE": (1.0, 1.0, 1.0)}


def copies_of(document: Document, index: int, node: schema.Node) -> NDArray[np.float64]:
    """Where copies of a node's mesh stand in its coordinates, (C, 4, 4); at its origin alone where it says no more.

    A skin puts its mesh where its joints are, whatever the node says.

    Raises:
        CharacterError: if the places are damaged.
        CostError: if they would take more memory than is left for the character.
    """
    said = (node.extensions or schema.NodeExtensions()).instancing
    attributes = {} if said is None or node.skin is not None else said.attributes or {}
    stored = {name: _stored(document, attributes[name]) for name in _KINDS if name in attributes}
    if not stored:
        return np.eye(4)[None]
    count = max(map(len, stored.values()))
    memory.ask(_COPY_COST * count)
    values = []
    for name, usual in _KINDS.items():
        found = stored.get(name)
        if found is None:
            found = np.broadcast_to(usual, (count, len(usual)))
        if found.shape != (count, len(usual)) or not np.isfinite(found).all():
            raise document.error(schema.Node, index, f"has copies without a {name} of {len(usual)} finite numbers each")
        values.append(found)
    return composed(*values)


def _stored(document: Document, index: int) -> NDArray[np.float64]:
    values = document.accessor(index)
    normalised = document.entry(schema.Accessor, index).normalized is True
    return np.asarray(denormalise(values) if normalised else values, np.float64)
