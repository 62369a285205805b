"""One character from its seed: shape, texture, rig and drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from specsia_build import frame
from specsia_build.characters.bicar import StoredRig
from specsia_build.characters.character import Skin
from specsia_build.characters.samples.body import SIDES, Body, add_body, add_extras, cloak, tail_points
from specsia_build.characters.samples.head import MOVING_EARS, Skull, add_face, add_hair, add_hat, add_head
from specsia_build.characters.samples.shapes import Array, Piece, by
from specsia_build.characters.samples.texture import TEXTURE, Paint, body_stamps, colours, paint, placed, prints
from specsia_build.characters.samples.traits import Build, Chance, Traits
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh, Texture

_SEAM = 0.05
"""How much farther than the nearest bone another may be to have a share."""


def joints_of(body: Body, skull: Skull) -> dict[str, tuple[str, Array]]:
    """Parent and place of each joint by VRM's name for it, or `leftEar`, `tail1` and so on; parents before children."""
    build, frame, mirror = body.build, body.frame, np.array([-1.0, 1.0, 1.0])
    joints: dict[str, tuple[str, Array]] = {}
    trunk = {"hips": frame.trunk(0.2), "spine": frame.trunk(0.36), "chest": frame.trunk(0.6), "neck": frame.trunk(0.96)}
    above = ""
    for name, height in (trunk | {"head": max(1.8 - 2 * build.head[1], build.neck)}).items():
        joints[name] = above, np.array([0.0, height, 0.0])
        above = name
    toes = by(build.gap, 0.0, build.toe)
    limbs = {
        "UpperArm": ("chest", frame.shoulder), "LowerArm": ("UpperArm", (frame.shoulder + frame.wrist) / 2),
        "Hand": ("LowerArm", frame.wrist), "UpperLeg": ("hips", frame.hip),
        "LowerLeg": ("UpperLeg", (frame.hip + frame.ankle) / 2), "Foot": ("LowerLeg", frame.ankle),
        "Toes": ("Foot", toes),
    }  # fmt: skip
    if body.traits.kind.ears in MOVING_EARS:
        low = body.traits.kind.ears in ("side", "fin", "elf")
        limbs["Ear"] = "head", skull.at(0.8, 0.1, -0.05) if low else skull.at(0.6, 0.65, -0.05)
    for side in SIDES:
        for name, (parent, place) in limbs.items():
            above = side + parent if parent in limbs else parent
            joints[side + name] = above, place * (mirror if side == "right" else 1)
    for k, place in enumerate(tail_points(body)[:3]):
        joints[f"tail{k + 1}"] = f"tail{k}" if k else "hips", place
    return joints


def weights_of(
    pieces: Sequence[Piece], vertices: Sequence[Array], joints: dict[str, tuple[str, Array]], body: Body
) -> Array:
    """Shares of the joints in each vertex of all pieces, (V, J), each row summing to 1."""
    names = list(joints)
    ends = {name: place for name, (_, place) in joints.items()}
    for parent, place in joints.values():
        # The first child ends a bone; of the hips and the chest that is the next of the spine.
        if parent and ends[parent] is joints[parent][1]:
            ends[parent] = place
    for side, way in zip(SIDES, (1, -1), strict=True):
        ends[side + "Hand"] = ends[side + "Hand"] + body.frame.along * (way * 0.15, 0.15, 0)
    weights = []
    for piece, points in zip(pieces, vertices, strict=True):
        shares = np.zeros((len(points), len(names)))
        if piece.bones in (("skirt",), ("cape",)):
            _hang(points, shares, names, body, 1.0 if piece.bones == ("skirt",) else 0.35)
        else:
            bones = [bone for bone in piece.bones if bone in joints] or ["head"]
            away = np.empty((len(points), len(bones)))
            for k, bone in enumerate(bones):
                start, length = joints[bone][1], ends[bone] - joints[bone][1]
                along = np.clip((points - start) @ length / max(float(length @ length), 1e-12), 0, 1)
                away[:, k] = np.linalg.norm(points - start - along[:, None] * length, axis=1)
            near = np.clip(1 - (away - away.min(axis=1, keepdims=True)) / _SEAM, 0, 1) ** 2
            shares[:, [names.index(bone) for bone in bones]] = near
        weights.append(shares / shares.sum(axis=1, keepdims=True))
    return np.concatenate(weights)


def _hang(points: Array, shares: Array, names: list[str], body: Body, follow: float) -> None:
    """Cloth around the legs or down the back: the lower it hangs, the more it goes where the nearer foot goes.

    Thighs would tilt what stands far off them into the ground; a foot that stands stays upright.
    """
    top, low = body.frame.trunk(0.4), body.build.crotch
    fall = follow * np.clip((low - points[:, 1]) / (low - body.frame.ankle[1]), 0, 1)
    left = np.clip(points[:, 0] / (2 * (body.build.gap + body.build.leg)) + 0.5, 0, 1)
    upper = np.clip((points[:, 1] - top) / (body.frame.trunk(0.9) - top), 0, 1) * (1 - fall)
    shares[:, names.index("hips")] = 1 - fall - upper
    shares[:, names.index("chest")] = upper
    shares[:, names.index("leftFoot")] = fall * left
    shares[:, names.index("rightFoot")] = fall * (1 - left)


def rig_of(pieces: Sequence[Piece], vertices: Sequence[Array], body: Body, skull: Skull) -> StoredRig:
    """The rig of a character's pieces."""
    joints = joints_of(body, skull)
    names = tuple(joints)
    weights = weights_of(pieces, vertices, joints, body)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, order, axis=1)
    skin = Skin(order.astype(np.int32), kept / kept.sum(axis=1, keepdims=True))
    parents = [names.index(parent) if parent else -1 for parent, _ in joints.values()]
    places = np.stack([place for _, place in joints.values()])
    return StoredRig(names, np.array(parents, np.int32), places, skin)


@dataclass(frozen=True)
class Sample:
    """One finished character, OBJ axes.

    Attributes:
        vertices: (V, 3) float64.
        corners: (F, 4) int64 into `vertices`, counter-clockwise from outside; a triangle repeats one.
        uv: (F, 4, 2) float64, 0-1, v down.
        image: (TEXTURE, TEXTURE, 3) uint8.
    """

    traits: Traits
    vertices: Array
    corners: NDArray[np.int64]
    uv: Array
    image: NDArray[np.uint8]
    rig: StoredRig


def make_sample(seed: int, index: int) -> Sample:
    """Character `index` of the samples of `seed`; it depends on nothing else."""
    chance = Chance(seed, index)
    traits = Traits(chance)
    body = Body(chance, traits, Build(chance, traits))
    skull = Skull(body.build)
    tint = colours(body)
    add_body(body)
    add_head(body, skull)
    add_hair(body, skull)
    add_hat(body, skull)
    if traits.cape:
        cloak(body)
    add_extras(body)
    face = add_face(body, skull, tint)
    shadow, fade = chance.between(0.05, 0.2), chance.between(0.15, 0.45) if chance.true(0.25) else 0.0
    how = Paint(tint, prints(body, tint), [*body_stamps(body, tint), *face], shadow, fade)
    welded = [_welded(piece) for piece in body.pieces]
    boxes = placed(body.pieces)
    image = paint(body.pieces, [normals[ids] for _, _, normals, ids in welded], boxes, how)
    starts = np.cumsum([0, *(len(points) for points, *_ in welded[:-1])])
    vertices = [points for points, *_ in welded]
    corners, uv = [], []
    for (_, faces, _, ids), start, (row, column, height, width) in zip(welded, starts, boxes, strict=True):
        rows, columns = ids.shape
        across = (column + 0.5 + np.linspace(0, width - 1, columns)) / TEXTURE
        down = (row + 0.5 + np.linspace(0, height - 1, rows)) / TEXTURE
        texel = np.stack(np.broadcast_arrays(across[None, :], down[:, None]), axis=2).reshape(-1, 2)
        corners.append(ids.ravel()[faces] + start)
        uv.append(texel[faces])
    return Sample(
        traits,
        np.concatenate(vertices),
        np.concatenate(corners),
        np.concatenate(uv),
        image,
        rig_of(body.pieces, vertices, body, skull),
    )


def _welded(piece: Piece) -> tuple[Array, NDArray[np.int64], Array, NDArray[np.int64]]:
    """Vertices (V, 3), faces (F, 4) of places in the grid, normals (V, 3), and each place's vertex (R, C)."""
    rows, columns = piece.grid.shape[:2]
    flat = piece.grid.reshape(-1, 3)
    _, first, ids = np.unique(np.rint(flat * 1e6), axis=0, return_index=True, return_inverse=True)
    points, ids = flat[first], ids.reshape(rows, columns)
    at = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], axis=2).reshape(-1, 4)
    corners = ids.ravel()[faces]
    distinct = (corners != np.roll(corners, 1, axis=1)).sum(axis=1)
    crossed = (corners[:, 0] == corners[:, 2]) | (corners[:, 1] == corners[:, 3])
    keep = (distinct >= 3) & ~crossed
    faces, corners = faces[keep], corners[keep]
    a, b, c, d = (points[corners[:, k]] for k in range(4))
    normal = np.cross(c - a, d - b)
    if float((normal * (a + b + c + d - 4 * points.mean(axis=0))).sum()) < 0:
        faces, normal = faces[:, ::-1], -normal
    sums = np.stack(
        [np.bincount(corners.ravel(), np.repeat(normal[:, k], 4), minlength=len(points)) for k in range(3)], axis=1
    )
    return points, faces, sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12), ids


SIZE = 512
"""Width and height of a drawing in pixels."""

_LINE = 3
_LIGHT = np.array([-0.35, -0.75, 0.55]) / np.linalg.norm([-0.35, -0.75, 0.55])


def mesh_of(sample: Sample) -> Mesh:
    """A sample as a mesh, Z up and facing -Y, in its own units."""
    corners = np.concatenate([sample.corners[:, [0, 1, 2]], sample.corners[:, [0, 2, 3]]])
    uv = np.concatenate([sample.uv[:, [0, 1, 2]], sample.uv[:, [0, 2, 3]]])
    real = (corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]) & (corners[:, 0] != corners[:, 2])
    pixels = np.dstack([sample.image, np.full(sample.image.shape[:2], 255, np.uint8)])
    return Mesh(
        vertices=(sample.vertices @ frame.up_rotation("+y").T).astype(np.float32),
        faces=corners[real].astype(np.int32),
        materials=(Material(texture=Texture(pixels)),),
        face_material=np.zeros(int(real.sum()), np.int32),
        uv=uv[real].astype(np.float32),
    )


def draw_front(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The picture (SIZE, SIZE, 3) uint8, and its mask (SIZE, SIZE) uint8, 255 where the character is."""
    mesh, camera = mesh_of(sample), frame.Camera(0.0, SIZE)
    fit = frame.normalise(mesh.vertices, (camera,), _LINE + 1)
    (layers,) = FastRenderer().render(mesh.with_vertices(fit.apply(mesh.vertices)), (camera,))
    rows, columns = (np.flatnonzero((layers.mask > 0).any(axis=axis)) for axis in (1, 0))
    box = np.s_[rows[0] - _LINE : rows[-1] + _LINE + 1, columns[0] - _LINE : columns[-1] + _LINE + 1]
    picture, mask = np.full((SIZE, SIZE, 3), 255, np.uint8), np.where(layers.mask > 0, 255, 0).astype(np.uint8)
    picture[box] = _inked(layers.color[box], mask[box] > 0, layers.position[box])
    return picture, mask


def _inked(color: NDArray[np.uint8], mask: NDArray[np.bool_], places: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colours in two tones by the slope of the surface, dark where it steps back and around it."""
    depth = np.where(mask, places[..., 1], 9.0)
    normal = np.cross(np.gradient(places, axis=0), np.gradient(places, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=2, keepdims=True), 1e-12)
    tone = np.where(scipy.ndimage.uniform_filter(normal @ _LIGHT, 5) > 0.18, 1.0, 0.84)
    alpha = color[..., 3:] / 255.0
    colour = color[..., :3] * tone[..., None] * alpha + 255.0 * (1 - alpha)
    behind = scipy.ndimage.maximum_filter(depth, 3)
    colour[mask & (behind - depth > 0.06)] *= 0.35
    around = scipy.ndimage.distance_transform_edt(~mask)
    colour[(around > 0) & (around <= _LINE)] = (34.0, 26.0, 32.0)
    return np.clip(np.rint(colour), 0, 255).astype(np.uint8)
