"""One character from its seed: shape, texture, eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.bicar_rig import StoredRig
from specsia_build.characters.samples import field
from specsia_build.characters.samples.atlas import PADDING, Atlas, bleed, unwrap
from specsia_build.characters.samples.body import Frame, add_body, lay_out
from specsia_build.characters.samples.chance import draw_traits
from specsia_build.characters.samples.colours import draw_scheme
from specsia_build.characters.samples.extras import add_back, add_hat, add_tail, add_worn
from specsia_build.characters.samples.eyes import Eyes, make_eyes
from specsia_build.characters.samples.faces import face_stamps, marking_stamps
from specsia_build.characters.samples.hair import add_hair
from specsia_build.characters.samples.head import Skull, add_head, skull_of
from specsia_build.characters.samples.joints import joints_of
from specsia_build.characters.samples.nets import QuadMesh, skin
from specsia_build.characters.samples.outfits import Palette, clothing_stamps, draw_palette, part_colours
from specsia_build.characters.samples.paint import SHADOW, Wardrobe, girths, paint, soft_light
from specsia_build.characters.samples.parts import ABOVE_NECK, Part
from specsia_build.characters.samples.prints import mottle
from specsia_build.characters.samples.rigging import Anatomy, rig_of
from specsia_build.characters.samples.solid import Solid
from specsia_build.characters.samples.species import SPECIES, Species
from specsia_build.characters.samples.traits import Traits

TEXTURE = 1024
"""Texels along a side of a character's texture."""

QUADS = 10_000
"""About how many quads a character's surface gets."""


@dataclass(frozen=True)
class Sample:
    """One finished character, OBJ axes.

    Attributes:
        traits: what was drawn by chance.
        mesh: its body.
        uv: (Q, 4, 2) of the body, in texels, row 0 at the top.
        image: (TEXTURE, TEXTURE, 3) uint8.
        eyes: its eyes.
        rig: what moves them.
    """

    traits: Traits
    mesh: QuadMesh
    uv: NDArray[np.float64]
    image: NDArray[np.uint8]
    eyes: Eyes
    rig: StoredRig


def _tail(traits: Traits) -> str:
    """The kind of tail that is seen; under a robe or a cape none is."""
    return "" if traits.outfit.top == "robe" or traits.outfit.cape else _species(traits.species).tail


def _species(name: str) -> Species:
    return next(s for s in SPECIES if s.name == name)


def shape(traits: Traits, frame: Frame, skull: Skull) -> NDArray[np.float64]:
    """The table of the character's solid."""
    species, solid = _species(traits.species), Solid()
    add_body(solid, frame, traits.build, traits.outfit)
    add_head(solid, skull, traits.build, species.ears, species.muzzle, "" if traits.hat else species.crown)
    if not species.muzzle and traits.face.nose == "bump":
        s = skull.size
        solid.blob(Part.HEAD, skull.at(0, -0.18, 0.97), (0.09 * s, 0.08 * s, 0.11 * s), 0.02)
    hatted = traits.hat not in ("", "headband", "hairbow", "flower", "party")
    add_hair(solid, skull, traits.hair, traits.asymmetry, hatted)
    if traits.hat:
        add_hat(solid, skull, traits.hat, traits.asymmetry)
    add_tail(solid, traits.build, _tail(traits))
    if species.back and not traits.outfit.cape and not traits.outfit.bag:
        add_back(solid, traits.build, frame, skull, species.back)
    add_worn(solid, traits.build, frame, traits.outfit, traits.asymmetry)
    return solid.table()


def _extent(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """A box that holds the solid, and the grid step that gives its surface about `QUADS` quads.

    The surface's area is told from how many coarse samples lie near it; a quad of the net covers two thirds of the
    area that a cell's side does, on average over all slants.
    """
    step = 0.1
    low, high = np.array([-1.6, 0.0, -1.2]), np.array([1.6, 3.0, 1.2])
    size = np.ceil((high - low) / step).astype(int) + 1
    volume = field.sample_grid(table, low, step, (int(size[0]), int(size[1]), int(size[2])))
    near = np.argwhere(volume < step)
    area = float((np.abs(volume) < 0.5 * step).sum()) * step * step
    fine = float(np.clip(np.sqrt(1.5 * area / QUADS), 0.016, 0.028))
    return low + (near.min(axis=0) - 1) * step, low + (near.max(axis=0) + 1) * step, fine


def _texture(
    table: NDArray[np.float64],
    mesh: QuadMesh,
    part: NDArray[np.int64],
    gap: NDArray[np.float64],
    atlas: Atlas,
    wardrobe: Wardrobe,
) -> NDArray[np.uint8]:
    """Paint the texels; only those near a border between parts ask the solid again whose they are."""
    shadow = soft_light(table, mesh)
    light = (1.0 - shadow[:, None] * (1.0 - SHADOW)) * (1.0 + 0.018 * mottle(mesh.vertices)[:, None])
    spread = atlas.spread(mesh.quads, np.column_stack([mesh.vertices, mesh.normals, light, gap]))
    own = part[mesh.quads]
    mixed = (own != own[:, :1]).any(axis=1) | (gap[mesh.quads].min(axis=1) < 0.012)
    texel_part, texel_gap = own[atlas.owner, 0], spread[:, 9]
    border = np.flatnonzero(mixed[atlas.owner])
    texel_part[border], texel_gap[border] = field.nearest_part(table, np.ascontiguousarray(spread[border, :3]))
    colours = paint(spread[:, :3], spread[:, 3:6], spread[:, 6:9], texel_part, texel_gap, wardrobe)
    image = np.empty((TEXTURE * TEXTURE, 3), np.uint8)
    image[:] = np.rint(np.array(wardrobe.palette.top) * 255).astype(np.uint8)
    image[atlas.texels] = colours
    return np.asarray(bleed(image.reshape(TEXTURE, TEXTURE, 3), atlas.texels, PADDING + 2))


def _wardrobe(traits: Traits, species: Species, frame: Frame, skull: Skull, palette: Palette) -> Wardrobe:
    stamps = [
        *marking_stamps(traits, skull, palette.skin, palette.belly, palette.dark),
        *face_stamps(traits, skull, species.muzzle, palette.skin, palette.hair, palette.scheme.dark),
        *clothing_stamps(traits.build, frame, traits, palette),
    ]
    return Wardrobe(
        traits, frame, skull, palette, part_colours(traits, species, palette), tuple(stamps), girths(traits)
    )


def make_sample(seed: int, index: int) -> Sample:
    """Character `index` of the samples of `seed`; it depends on nothing else."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index])))
    traits = draw_traits(rng)
    species = _species(traits.species)
    palette = draw_palette(rng, species, draw_scheme(rng), traits.outfit.top)
    frame, skull = lay_out(traits.build, traits.outfit), skull_of(traits.build)
    table = shape(traits, frame, skull)
    mesh = skin(table, *_extent(table))
    part, gap = field.nearest_part(table, mesh.vertices)
    above = np.isin(part[mesh.quads[:, 0]], [int(p) for p in sorted(ABOVE_NECK)])
    atlas = unwrap(mesh, above.astype(np.int64), TEXTURE)
    image = _texture(table, mesh, part, gap, atlas, _wardrobe(traits, species, frame, skull, palette))
    eyes = make_eyes(table, skull, traits.face, palette.iris, palette.skin)
    joints = joints_of(traits.build, frame, skull, species.ears, _tail(traits))
    anatomy = Anatomy(joints, traits.build, frame, traits.outfit)
    rig = rig_of(table, anatomy, mesh.vertices, eyes.vertices)
    return Sample(traits, mesh, atlas.uv, image, eyes, rig)
