"""Convert a COLLADA file to GLB by pycollada: a program, see `serve` for its argument and exit codes.

Meshes, skins and materials are kept; skins rest as bound, whatever pose the file is in. Motions are not kept.
"""

import io
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from collada import Collada
from collada.common import DaeError, DaeUnsupportedError
from collada.controller import Controller, Skin
from collada.geometry import Geometry
from collada.material import DaeMissingSampler2D, Map, Material
from collada.polylist import Polylist
from collada.primitive import Primitive
from collada.scene import (
    ControllerNode,
    DaeInstanceNotLoadedError,
    GeometryNode,
    MaterialNode,
    Node,
    NodeNode,
)
from collada.triangleset import TriangleSet
from numpy.typing import NDArray

from specsia_build.arrays import Doubles
from specsia_build.characters.converting import add_influences, influences, serve
from specsia_build.characters.polygons import triangulate
from specsia_build.errors import plural
from specsia_build.files.glb import GlbWriter
from specsia_build.rendering.colour import srgb_to_linear

_ROWS = {"X_UP": ((0, -1, 0), (1, 0, 0), (0, 0, 1)), "Z_UP": ((1, 0, 0), (0, 0, 1), (0, -1, 0))}
"""Rows of the rotation to Y up, by the axis that points up."""

_BROKEN_LINKS = (DaeInstanceNotLoadedError, DaeMissingSampler2D)  # Errors of pycollada that are no DaeError
_ROOT = 0  # Number of the node that turns and scales the scene
_MOST_NODES = 100_000  # A node may be shown several times
_UNSTATED = 0.6  # Linear grey of a surface without a colour, .8 on a display
_GREY = 1e-3  # Largest difference of the channels of a colour without hue


def convert(data: bytes) -> bytes:
    """The GLB of a COLLADA file; raises ValueError if it cannot be read."""
    # Entities can name other files, or grow without end; no exporter writes any.
    if re.search(rb"<!(DOCTYPE|ENTITY)", data.replace(b"\0", b"")):
        raise ValueError("it declares a document type, which is not read")
    try:
        return _glb_of(_File(io.BytesIO(data), ignore=[DaeError]))
    except DaeError as error:
        raise ValueError(error.msg) from error
    except (*_BROKEN_LINKS, AttributeError, LookupError, RecursionError, TypeError) as error:
        raise ValueError("it is damaged") from error


class _File(Collada):  # type: ignore[misc]  # the library has no types
    """A file of which pycollada loads what it can."""

    def _loadEffects(self) -> None:
        # In an exporter's extras it looks for bump maps, and fails where these are not there.
        for effect in self.xmlnode.iter(self.tag("effect")):
            for holder in list(effect.iter()):
                for extra in holder.findall(self.tag("extra")):
                    holder.remove(extra)
        super()._loadEffects()

    def _loadNodes(self) -> None:
        # It leaves out geometry whose material could not be loaded.
        for holder in self.xmlnode.iter(self.tag("technique_common")):
            for bound in holder.findall(self.tag("instance_material")):
                if self.materials.get((bound.get("target") or "")[1:]) is None:
                    holder.remove(bound)
        super()._loadNodes()


def _glb_of(file: Collada) -> bytes:
    if file.scene is None:
        raise ValueError("it has no scene")
    writer, matrix = _Writer(), np.eye(4)
    unit = file.assetInfo.unitmeter or 1.0
    matrix[:3, :3] = unit * np.array(_ROWS.get(file.assetInfo.upaxis, np.eye(3)))
    writer.glb.add("nodes", matrix=matrix.T.reshape(-1).tolist())
    children = [writer.node(node, _ROOT) for node in file.scene.nodes if isinstance(node, Node)]
    writer.glb.lists["nodes"][_ROOT]["children"] = children
    for place, _, node in writer.places:
        writer.hang(place, node)
    writer.rest_as_bound()
    warnings = []
    if file.animations:
        warnings.append(("not-read", "has motions, which are not read: export it as glTF or FBX"))
    if lost := [error for error in file.errors if not isinstance(error, DaeUnsupportedError)]:
        if not writer.glb.lists.get("meshes"):
            raise lost[0]
        parts = plural(len(lost), "damaged part")
        warnings.append(("not-read", f"has {parts}, left out: {lost[0].msg}"))
    asset = {"version": "2.0", "extras": {"warnings": warnings}}
    return writer.glb.encode(asset=asset, scene=0, scenes=[{"nodes": [_ROOT]}])


class _Writer:
    """Adds the nodes of a scene to a GLB, and then what hangs on them."""

    def __init__(self) -> None:
        self.glb = GlbWriter()
        self.places: list[tuple[int, int, Node]] = []  # Nodes by number, with that of the node above
        self._bound: dict[int, Doubles] = {}  # Matrices from joints to the scene in which skins were bound
        self._sids: dict[str | None, int] = {}  # Nodes by the names that skins use, the first of a name
        self._ids: dict[str | None, int] = {}
        self._materials: dict[str, int] = {}
        self._images: dict[str, int] = {}

    def node(self, node: Node, parent: int) -> int:
        """Add a node with those below; returns its index. Raises ValueError if there are too many."""
        if len(self.places) == _MOST_NODES:
            raise ValueError(f"it has more than {_MOST_NODES:,} nodes")
        if isinstance(node, NodeNode):
            node = node.node
        index = self.glb.add("nodes", name=node.name)
        self.places.append((index, parent, node))
        self._sids.setdefault(node.xmlnode.get("sid"), index)
        self._ids.setdefault(node.id, index)
        children = [self.node(child, index) for child in node.children if isinstance(child, Node)]
        if children:
            self.glb.lists["nodes"][index]["children"] = children
        return index

    def rest_as_bound(self) -> None:
        """Place the nodes, joints as their skins were bound."""
        worlds = defaultdict[int, Doubles](lambda: np.eye(4))
        for index, parent, node in self.places:
            local = node.matrix.astype(np.float64)
            worlds[index] = worlds[parent] @ local
            if index in self._bound:
                local = np.linalg.inv(worlds[parent]) @ self._bound[index]
                worlds[index] = self._bound[index]
            self.glb.lists["nodes"][index]["matrix"] = local.T.reshape(-1).tolist()

    def hang(self, place: int, node: Node) -> None:
        """Hang the geometry of a node on it, each in a node of its own."""
        for child in node.children:
            if isinstance(child, GeometryNode):
                geometry, skin = child.geometry, None
            elif isinstance(child, ControllerNode):
                geometry, skin = _deformed(child.controller)
            else:
                continue
            holder = self.glb.add("nodes", name=geometry.name or node.name)
            entry = self.glb.lists["nodes"][holder]
            self.glb.lists["nodes"][place].setdefault("children", []).append(holder)
            bound = None if skin is None else influences(*_weights(skin), len(_points(geometry)))
            if skin is not None and bound is not None:
                entry["skin"] = self._skin(skin, bound)
            materials = {material.symbol: material for material in child.materials}
            parts = [part for part in geometry.primitives if isinstance(part, (Polylist, TriangleSet))]
            primitives = [self._primitive(part, materials, bound) for part in parts if len(part.index)]
            if primitives:
                entry["mesh"] = self.glb.add("meshes", name=geometry.name, primitives=primitives)

    def _skin(self, skin: Skin, bound: tuple[NDArray[np.int64], Doubles]) -> int:
        """Add a skin; vertices without weights stay where they were bound."""
        names, nodes = list(skin.weight_joints), self._ids | self._sids
        if lost := [name for name in names if name not in nodes or name not in skin.joint_matrices]:
            raise ValueError(f"a skin names the joint '{lost[0]}', which is not there")
        joints = [nodes[name] for name in names]
        for name, joint in zip(names, joints, strict=True):
            self._bound.setdefault(joint, np.linalg.inv(skin.joint_matrices[name].astype(np.float64)))
        binds = [skin.joint_matrices[name] @ skin.bind_shape_matrix for name in names]
        slots, weights = bound
        loose = weights.sum(axis=1) <= 0
        slots[loose, 0], weights[loose, 0] = len(joints), 1.0
        inverse = np.array([*binds, skin.bind_shape_matrix]).transpose(0, 2, 1).reshape(-1, 16)
        accessor = self.glb.accessor(inverse.astype("<f4"))
        return self.glb.add("skins", joints=[*joints, _ROOT], inverseBindMatrices=accessor)

    def _primitive(
        self,
        part: Primitive,
        materials: Mapping[str, MaterialNode],
        bound: tuple[NDArray[np.int64], Doubles] | None,
    ) -> dict[str, Any]:
        material = materials.get(part.material)
        columns = dict(_columns(part, material))
        corners = part.index.reshape(-1, part.nindices)
        first = np.arange(0, len(corners) + 1, 3)
        if isinstance(part, Polylist):
            first = np.append(part.polystarts, len(corners))
        points, offset = columns["POSITION"]
        keep = np.ones(len(first) - 1, np.bool_)
        triangles, _ = triangulate(points, corners[:, offset].astype(np.int64), first, keep, shorter=False)
        # A vertex for each combination of attributes that a corner has.
        rows = np.stack([corners[:, offset] for _, offset in columns.values()])
        used, corner = np.unique(rows[:, triangles.reshape(-1)], axis=1, return_inverse=True)
        attributes = {
            name: self.glb.accessor(values[row].astype("<f4"))
            for row, (name, (values, _)) in zip(used, columns.items(), strict=True)
        }
        if bound is not None:
            slots, weights = bound
            attributes |= add_influences(self.glb, slots[used[0]], weights[used[0]])
        indices = self.glb.accessor(corner.reshape(-1).astype("<u4"))
        primitive = {"attributes": attributes, "indices": indices}
        return primitive if material is None else primitive | {"material": self._material(material.target)}

    def _material(self, material: Material) -> int:
        if material.id not in self._materials:
            effect = material.effect
            base, glow = (self._texture(stated) for stated in (effect.diffuse, effect.emission))
            opacity, cutout = _opacity(effect), self._texture(effect.transparent)
            differs = cutout is not None and base is not None and cutout["index"] != base["index"]
            pbr: dict[str, Any] = {"baseColorFactor": [*_linear(effect.diffuse, _UNSTATED), opacity]}
            if base is not None:
                pbr["baseColorTexture"] = base
            self._materials[material.id] = self.glb.add(
                "materials",
                name=material.name or material.id,
                pbrMetallicRoughness=pbr,
                emissiveFactor=_linear(effect.emission, 0.0),
                emissiveTexture=glow,
                alphaMode="OPAQUE" if opacity == 1.0 and cutout is None else "BLEND",
                doubleSided=True,
                extensions={"SPECSIA_material": {"opacityTexture": cutout} if differs else {}},
            )
        return self._materials[material.id]

    def _texture(self, stated: Any) -> dict[str, int] | None:
        """A reference to the image that a material states; None where it states a colour."""
        if not isinstance(stated, Map):
            return None
        name = unquote(stated.sampler.surface.image.path)
        if name not in self._images:
            source = self.glb.add("images", name=name, uri=quote(name))
            self._images[name] = self.glb.add("textures", source=source)
        return {"index": self._images[name]}


def _deformed(controller: Controller) -> tuple[Geometry, Skin | None]:
    """The geometry of a controller, and its skin; what a morph does is left out."""
    if isinstance(controller, Skin):
        return controller.geometry, controller
    return controller.source_geometry, None


def _points(geometry: Geometry) -> Doubles:
    points: Doubles = geometry.primitives[0].sources["VERTEX"][0][4].data
    return points


def _weights(skin: Skin) -> tuple[NDArray[np.int64], NDArray[np.int32], Doubles]:
    """Vertex, joint and weight of each influence of a skin."""
    index = skin.vertex_weight_index.reshape(-1, skin.nindices)
    vertex = np.repeat(np.arange(len(skin.vcounts)), skin.vcounts)
    joint, weight = (index[:, offset] for offset in skin.offsets)
    return vertex, joint, skin.weights.data.reshape(-1)[weight].astype(np.float64)


def _columns(part: Primitive, material: MaterialNode | None) -> Iterator[tuple[str, tuple[Doubles, int]]]:
    """Values of each attribute of glTF, and the column of a primitive's index that they are for."""
    stated = None if material is None else material.target.effect.diffuse
    for semantic, name in (("VERTEX", "POSITION"), ("NORMAL", "NORMAL"), ("TEXCOORD", "TEXCOORD_0")):
        inputs = part.sources.get(semantic) or ()
        if semantic == "TEXCOORD" and material is not None and isinstance(stated, Map):
            wanted = {number for label, _, number in material.inputs if label == stated.texcoord}
            inputs = [given for given in inputs if given[3] in wanted] or inputs
        for offset, _, _, _, source in inputs[:1]:
            values = source.data.astype(np.float64)[:, : 2 if semantic == "TEXCOORD" else 3]
            if semantic == "TEXCOORD":
                values[:, 1] = 1.0 - values[:, 1]
            yield name, (values, offset)
    # Exporters cannot say that colours are meant: a material with a colour or a texture counts instead.
    inputs = part.sources.get("COLOR") or ()
    if inputs and not isinstance(stated, Map) and (stated is None or np.ptp(stated[:3]) < _GREY):
        offset, _, _, _, source = inputs[0]
        colours = np.ones((len(source.data), 4))
        colours[:, : source.data.shape[1]] = source.data
        colours[:, :3] = srgb_to_linear(colours[:, :3])
        yield "COLOR_0", (colours, offset)


def _linear(stated: Any, default: float) -> list[float]:
    """Linear colour (3) of a material's display colour; white with a texture, `default` without both."""
    if stated is None or isinstance(stated, Map):
        return [default if stated is None else 1.0] * 3
    values: list[float] = srgb_to_linear(np.array(stated[:3], np.float64)).tolist()
    return values


def _opacity(effect: Any) -> float:
    """Opacity of a material. Exporters write 0 beside opaque surfaces, so 0 counts as 1."""
    share = effect.transparency if isinstance(effect.transparency, float) else 1.0
    stated = effect.transparent
    if stated is None or isinstance(stated, Map):
        return 1.0
    opacity = stated[3] * share
    if effect.opaque_mode == "RGB_ZERO":
        opacity = 1.0 - float(np.dot(stated[:3], (0.2126, 0.7152, 0.0722))) * share
    return opacity if 0.0 < opacity < 1.0 else 1.0


if __name__ == "__main__":
    sys.exit(serve(convert, (ValueError,)))
