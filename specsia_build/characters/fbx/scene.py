"""Access to a scene of ufbx: elements that stay alive, numbers as arrays, transforms at rest."""

import ctypes
import re
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from specsia_build.arrays import Doubles

_SINGULAR = 1e-12  # Volume below which a transform has no inverse, as a share of its longest axis cubed

_retain = ctypes.pythonapi.Py_IncRef
_retain.argtypes = [ctypes.py_object]


def each(elements: Any) -> list[Any]:
    """The elements of one of ufbx's lists, never freed: ufbx 0.0.5 does not count their references."""
    listed = [elements[k] for k in range(len(elements))]
    for element in listed:
        _retain(element)
    return listed


def array(values: Any, width: int = 3, kind: DTypeLike = np.float64) -> NDArray[Any]:
    """Values of one of ufbx's lists of vectors or numbers, (N, width); (N,) where `width` is 0."""
    shape = (len(values), width) if width else (len(values),)
    if not len(values):
        return np.zeros(shape, kind)
    # ufbx 0.0.5 gives a reference to the list back twice.
    _retain(values)
    return np.array(memoryview(values), kind).reshape(shape)


def integers(values: Any) -> NDArray[np.int64]:
    """Values of one of ufbx's lists of integers, (N,)."""
    return np.fromiter(values, np.int64, len(values))


def matrix(stored: Any) -> Doubles:
    """A matrix (4, 4) of ufbx's four columns."""
    out = np.eye(4)
    out[:3] = np.array(stored).T
    return out


def to_gltf(settings: Any) -> Doubles:
    """The matrix (4, 4) from a file's axes and units to glTF's: +Y up, +Z to the front, metres."""
    out = np.eye(4)
    stated = settings.axes
    axes = [int(axis) for axis in (stated.right, stated.up, stated.front)]
    if {axis // 2 for axis in axes} == {0, 1, 2}:
        out[:3] = 0.0
        for row, axis in enumerate(axes):
            out[row, axis // 2] = -1.0 if axis % 2 else 1.0
    metres = float(settings.unit_meters)
    out[:3] *= metres if np.isfinite(metres) and metres > 0 else 1.0
    return out


def without_unused_rotations(data: bytes, scene: Any) -> bytes:
    """Remove orders and extra turns of rotations at nodes that are not `RotationActive`: they do not count.

    ufbx 0.0.5 applies them, and its scene cannot be changed; properties of unknown names are ignored.
    """
    nodes = sorted(each(scene.nodes), key=lambda node: node.element_id)
    stated = [_names(node) for node in nodes]
    changed = bytearray(data)
    for name in ("RotationOrder", "PreRotation", "PostRotation"):
        holders = [node for node, names in zip(nodes, stated, strict=True) if name in names]
        written = re.escape(struct.pack("<cI", b"S", len(name))) + b'|"'
        places = [match.end() for match in re.finditer(b'(?:%b)(?=%b[S"])' % (written, name.encode()), data)]
        # Templates, which come first, state properties too.
        for node, place in zip(holders[::-1], places[::-1], strict=False):
            limits_only = node.props.find_bool("RotationSpaceForLimitOnly", False)
            if limits_only or not node.props.find_bool("RotationActive", False):
                changed[place : place + 1] = changed[place : place + 1].lower()
    return bytes(changed)


def _names(element: Any) -> set[str]:
    return {prop.name for prop in properties(element)}


def properties(element: Any) -> list[Any]:
    """Properties that the file states of an element."""
    listed = element.props.props
    return [listed[k] for k in range(len(listed))]


class Nodes:
    """The nodes of a scene, parents first, in the file's coordinates.

    Attributes:
        nodes: as ufbx gives them; its own number is `typed_id`.
        parents: index of each node's parent, -1 for the root.
        names: of the nodes, empty for those that ufbx added.
        local: (N, 4, 4), to the parent's coordinates, as the file states.
        rest: (N, 4, 4), the same where bones are as the skins were bound.
        bound: indices of nodes whose `rest` is not `local`.
        shown: whether each node is visible, and not of a lower level of detail.
    """

    def __init__(self, scene: Any) -> None:
        self.nodes = each(scene.nodes)
        self.parents = [node.parent.typed_id if node.parent is not None else -1 for node in self.nodes]
        self.names = ["" if node.is_scale_helper else node.name for node in self.nodes]
        self.local = np.array([matrix(node.node_to_parent) for node in self.nodes])
        self.rest, self.bound = self._at_rest(_bind_poses(scene))
        self.shown = self._shown(scene)

    def _at_rest(self, binds: dict[int, Doubles]) -> tuple[Doubles, frozenset[int]]:
        rest, worlds = self.local.copy(), self.local.copy()
        bound = set[int]()
        for index, parent in enumerate(self.parents):
            above = worlds[parent] if parent >= 0 else np.eye(4)
            if index in binds and _is_regular(above):
                rest[index] = np.linalg.inv(above) @ binds[index]
                size = np.abs(self.local[index]).max()
                if np.abs(rest[index] - self.local[index]).max() > 1e-6 * size:
                    bound.add(index)
            worlds[index] = above @ rest[index]
        return rest, frozenset(bound)

    def _shown(self, scene: Any) -> list[bool]:
        lower = set[int]()
        for group in each(scene.lod_groups):
            for node in each(group.instances):
                lower.update(level.typed_id for level in each(node.children)[1:])
        visible, coarse = list[bool](), list[bool]()
        for index, node in enumerate(self.nodes):
            parent = self.parents[index]
            inherits = parent >= 0 and node.props.find_bool("Visibility Inheritance", True)
            visible.append(node.visible and not (inherits and not visible[parent]))
            coarse.append(index in lower or (parent >= 0 and coarse[parent]))
        return [seen and not low for seen, low in zip(visible, coarse, strict=True)]


def _bind_poses(scene: Any) -> dict[int, Doubles]:
    """World transform (4, 4) of each bone when its skin was bound; that of the largest skin counts."""
    binds: dict[int, Doubles] = {}
    for skin in sorted(each(scene.skin_deformers), key=lambda skin: -len(skin.clusters)):
        for cluster in each(skin.clusters):
            bind = matrix(cluster.bind_to_world)
            if cluster.bone_node is not None and not cluster.bone_node.is_root and _is_regular(bind):
                binds.setdefault(cluster.bone_node.typed_id, bind)
    return binds


def _is_regular(transform: Doubles) -> bool:
    """Whether a matrix (4, 4) is finite and has an inverse."""
    size = np.abs(transform[:3, :3]).max()
    finite = bool(np.isfinite(transform).all())
    return finite and abs(np.linalg.det(transform[:3, :3])) > _SINGULAR * size**3


def transform_entry(transform: Any) -> dict[str, Sequence[float]]:
    """The members of a glTF node for a transform of ufbx."""
    return {name: list(getattr(transform, name)) for name in ("translation", "rotation", "scale")}
