"""One character from its seed: mesh, texture, rig and drawing."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from specsia_build import frame
from specsia_build.animation.rig import Rig
from specsia_build.arrays import Doubles, Pixels
from specsia_build.characters.samples.body import BODY_SIDES, TRUNK, Body
from specsia_build.characters.samples.measures import vector
from specsia_build.characters.samples.shapes import grid_faces
from specsia_build.characters.samples.texture import TEXTURE_SIZE, paint, place_pieces
from specsia_build.characters.samples.traits import Traits
from specsia_build.pictures.films import on_white
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.fast.renderer import FastRenderer
from specsia_build.rendering.mesh import Material, Mesh, Texture

_SIZE, _LINE = 512, 3  # Width and height of a drawing, and of its contour, in pixels


@dataclass(frozen=True)
class SampleMesh:
    """One finished character, OBJ axes."""

    traits: Traits
    image: Pixels  # (TEXTURE_SIZE, TEXTURE_SIZE, 3)
    vertices: Doubles  # (V, 3)
    faces: NDArray[np.int64]  # (F, 3) into `vertices`, counter-clockwise from outside
    texels: Doubles  # (T, 2), 0-1, v down
    corners: NDArray[np.int64]  # (F, 3) into `texels`


def make_sample(seed: int, index: int) -> SampleMesh:
    """Character `index` of the samples of `seed`; it depends on nothing else."""
    body = Body(seed, index)
    boxes = place_pieces(body.pieces)
    vertices, faces = [], []
    texels, corners = [], []
    vertex_count, texel_count = 0, 0
    for piece, (row, column, height, width) in zip(body.pieces, boxes, strict=True):
        rows, columns, _ = piece.grid.shape
        spots = np.empty((rows, columns, 2))
        spots[..., 0] = (column + 0.5 + np.linspace(0, width - 1, columns)) / TEXTURE_SIZE
        spots[..., 1] = ((row + 0.5 + np.linspace(0, height - 1, rows)) / TEXTURE_SIZE)[:, None]
        texels.append(spots.reshape(-1, 2))
        of_vertices, of_places = grid_faces(rows, columns)
        faces.append(of_vertices + vertex_count)
        corners.append(of_places + texel_count)
        vertices.append(piece.vertices)
        vertex_count += len(vertices[-1])
        texel_count += rows * columns
    arrays: list[Any] = [np.concatenate(parts) for parts in (vertices, faces, texels, corners)]
    return SampleMesh(body.traits, paint(body, boxes), *arrays)


def draw_front(sample: SampleMesh) -> tuple[Pixels, Pixels]:
    """Draw a sample from the front on white with a dark contour: (SIZE, SIZE, 3) uint8, mask (SIZE, SIZE)."""
    vertices = (sample.vertices @ frame.up_rotation("+y").T).astype(np.float32)
    camera = frame.Camera(0.0, _SIZE)
    texture = Texture(np.pad(sample.image, ((0, 0), (0, 0), (0, 1)), constant_values=255))
    mesh = Mesh(
        vertices=frame.normalise(vertices, (camera,), _LINE + 1).apply(vertices),
        faces=sample.faces.astype(np.int32),
        materials=(Material(texture=texture),),
        face_material=np.zeros(len(sample.faces), np.int32),
        uv=sample.texels[sample.corners].astype(np.float32),
    )
    (layers,) = FastRenderer().render(mesh, (camera,))
    drawn = draw_contour(layers.color, layers.coverage, _LINE, 30)
    return on_white(drawn), np.where(layers.coverage > 127, 255, 0).astype(np.uint8)


_PARENTS = {
    "hips": "", "spine": "hips", "chest": "spine", "neck": "chest", "head": "neck",
    "UpperArm": "chest", "LowerArm": "UpperArm", "Hand": "LowerArm",
    "UpperLeg": "hips", "LowerLeg": "UpperLeg", "Foot": "LowerLeg", "Toes": "Foot",
}  # fmt: skip
"""Parent of each joint, by VRM's names; those of limbs without their side."""

_SPINE = (0.2, 0.36, 0.6, 0.96)  # Heights of the joints of hips, spine, chest and neck, shares of the torso
_SEAM = 0.05  # How much farther than the nearest bone another may be to have a share of a vertex


def make_rig(seed: int, index: int) -> Rig:
    """The rig of a character's vertices: joints not turned at rest, and shares of the nearest of them."""
    body = Body(seed, index)
    head = body.head
    arm, leg = body.arm, body.leg
    heights = (*map(body.torso.at, _SPINE), head.middle[1] - head.radii[1])
    limbs = (arm.shoulder, (arm.shoulder + arm.wrist) / 2, arm.wrist,
             leg.hip, (leg.hip + leg.ankle) / 2, leg.ankle, vector(leg.gap, 0, leg.toe))  # fmt: skip
    joints: dict[str, tuple[str, Doubles]] = {}
    spots = (*(vector(0, y, 0) for y in heights), *limbs)
    for (name, parent), place in zip(_PARENTS.items(), spots, strict=True):
        for side, mirror in [("", 1)] if name in TRUNK else zip(BODY_SIDES, (1, -1), strict=True):
            joints[side + name] = parent if parent in ("", *TRUNK) else side + parent, place * (mirror, 1, 1)
    names, places = tuple(joints), np.stack([place for _, place in joints.values()])
    parents = np.array([names.index(parent) if parent else -1 for parent, _ in joints.values()], np.int32)
    ends = places.copy()
    # The first child ends a bone.
    for child in reversed(range(1, len(names))):
        ends[parents[child]] = places[child]
    ends[names.index("head"), 1] = 1.8
    weights = []
    for piece in body.pieces:
        if piece.bones == ("skirt",):
            weights.append(_hung(piece.vertices, names, body))
            continue
        bones, points = [names.index(bone) for bone in piece.bones], piece.vertices[:, None]
        start, length = places[bones], ends[bones] - places[bones]
        along = ((points - start) * length).sum(axis=2) / np.maximum((length**2).sum(axis=1), 1e-12)
        away = np.linalg.norm(points - start - np.clip(along, 0, 1)[..., None] * length, axis=2)
        shares = np.zeros((len(points), len(names)))
        shares[:, bones] = np.clip(1 - (away - away.min(axis=1, keepdims=True)) / _SEAM, 0, 1) ** 2
        weights.append(shares / shares.sum(axis=1, keepdims=True))
    vertices = np.concatenate([piece.vertices for piece in body.pieces])
    return Rig.unturned(names, parents, places, vertices, np.concatenate(weights))


def _hung(points: Doubles, names: tuple[str, ...], body: Body) -> Doubles:
    """Weights of cloth around the legs: the lower it hangs, the more it goes where the nearer foot goes.

    Thighs would tilt what stands far off them into the ground; a foot that stands stays upright.
    """
    fall = np.clip((body.torso.crotch - points[:, 1]) / (body.torso.crotch - body.leg.ankle[1]), 0, 1)
    left = np.clip(points[:, 0] / (2 * (body.leg.gap + body.leg.radii[0])) + 0.5, 0, 1)
    upper = np.clip((points[:, 1] - body.torso.at(0.4)) / (0.5 * body.torso.span), 0, 1) * (1 - fall)
    feet = {"leftFoot": fall * left, "rightFoot": fall * (1 - left)}
    shares = {"hips": 1 - fall - upper, "chest": upper, **feet}
    return np.stack([shares.get(name, 0 * fall) for name in names], axis=1)
