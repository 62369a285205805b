"""GLB files of real characters: valid, the same when read back, and opened by Blender."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from specsia_build.animation.motion import WEIGHTS, Interpolation, Motion, Track, poses
from specsia_build.animation.rig import Morph
from specsia_build.characters.read import AnimatedCharacter, read_animated
from specsia_build.characters.sources import open_source
from specsia_build.errors import CharacterError
from specsia_build.rendering.mesh import Texture
from specsia_build.writers.exported import ExportedCharacter
from specsia_build.writers.glb import GlbBody, write_glb
from specsia_build.writers.materials import with_light
from tests.writers.checking import faults_in, install_validator, likeness, posed, read_back, seen_by_blender

NAMES = (
    "kaykit_mage",
    "kenney_character",
    "quaternius_female_dress",
    "quaternius_zombie",
    "animal_alpaca",
    "dino_trex",
    "enemy_frog",
    "mech_mike",
    "cyber_enemy_2legs_gun",
    "platformer_character",
    "man_king",
    "woman_scifi",
)


@pytest.fixture(scope="module")
def characters(characters_dir: Path) -> dict[str, AnimatedCharacter]:
    entries = open_source(str(characters_dir / "everything.jsonl"), characters_dir).entries
    return {entry.id: read_animated(entry) for entry in entries if entry.id in NAMES}


def strange(own: AnimatedCharacter) -> AnimatedCharacter:
    """A character translucent, glowing, coloured by vertex and morphed; the last of its targets is empty."""
    mesh, rig = own.character.mesh, own.rig
    glow = Texture(np.full((2, 2, 4), (90, 0, 160, 255), np.uint8), ("clamp", "mirror"), nearest=True)
    materials = [replace(m, alpha_mode="blend", base_color=(0.4, 0.9, 0.7, 0.6)) for m in mesh.materials]
    materials[0] = replace(materials[0], emissive=(0.3, 0.2, 0.1), emissive_texture=glow)
    colours = np.random.default_rng(0).random((len(mesh.faces), 3, 4)).astype(np.float32)
    colours[..., 3] = 1
    rows = np.arange(0, len(mesh.vertices), 3, dtype=np.int32)
    offsets = np.full((len(rows), 3), 0.1, np.float32)
    morphs = tuple(Morph(0, target, rows, offsets * (1, -target, 1)) for target in (0, 1))
    morphs += (Morph(0, 2, rows, np.zeros_like(offsets)),)
    skeleton = replace(rig.skeleton, morph_weights={0: np.zeros(3)})
    tracks = (Track(0, WEIGHTS, np.array([1.0, 3.0]), np.array([[0.0, 0.0, 0.0], [1.0, 0.5, 1.0]])),)
    character = replace(own.character, mesh=replace(mesh, materials=tuple(materials), colors=colours))
    rig = replace(rig, skeleton=skeleton, morphs=morphs)
    return replace(own, character=character, rig=rig, motions=(Motion("swell", tracks, 1.0, 3.0),))


@pytest.fixture(scope="module")
def written(
    characters: dict[str, AnimatedCharacter], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[AnimatedCharacter, Path, Path]]:
    """Each character with its still and its moving file."""
    folder, files = tmp_path_factory.mktemp("glb"), {}
    for name, own in {**characters, "strange": strange(characters["kaykit_mage"])}.items():
        still = ExportedCharacter(own.character.mesh, name, license="CC0-1.0")
        moving = replace(still, rig=own.rig, motions=own.motions)
        files[name] = (own, folder / f"{name}.glb", folder / f"{name}-moving.glb")
        for path, character in zip(files[name][1:], (still, moving), strict=True):
            write_glb(path, character)
    return files


@pytest.mark.parametrize("name", [*NAMES, "strange"])
def test_reads_back_to_the_same_picture(
    written: dict[str, tuple[AnimatedCharacter, Path, Path]], name: str
) -> None:
    own, still, moving = written[name]
    back = read_back(moving)
    pairs = [(own.character.mesh, read_back(still).character.mesh), (own.character.mesh, back.character.mesh)]
    pairs += [(posed(own, k, 0.4), posed(back, k, 0.4)) for k in range(0, len(own.motions), 8)]
    assert [motion.name for motion in back.motions] == [motion.name for motion in own.motions]
    for overlap, difference in (likeness(*pair) for pair in pairs):
        assert overlap >= 0.99
        assert difference <= 2


def test_validator_finds_no_fault(
    written: dict[str, tuple[AnimatedCharacter, Path, Path]], tmp_path: Path
) -> None:
    paths = [path for _, *paths in written.values() for path in paths]
    assert faults_in(install_validator(tmp_path), paths) == {}


def test_blender_shows_the_same(
    written: dict[str, tuple[AnimatedCharacter, Path, Path]], tmp_path: Path
) -> None:
    names = ("kaykit_mage", "enemy_frog", "quaternius_zombie", "strange")
    stills = seen_by_blender([written[name][1] for name in names])
    for name, seen in zip(names, stills, strict=True):
        count = len(written[name][0].character.mesh.faces)
        assert_allclose(seen, (0.0, 1.7, count, 0), atol=1e-3, err_msg=name)
    expected, files = [], []
    for name in names[:3]:
        own = written[name][0]
        character = ExportedCharacter(own.character.mesh, rig=own.rig, motions=own.motions[1:2])
        files.append(tmp_path / f"{name}.glb")
        write_glb(files[-1], character)
        low, high = replace(character, mesh=posed(own, 1, 0.0)).mesh.bounds()
        matrix = character.to_metres()
        expected.append([matrix[1, 2] * z + matrix[1, 3] for z in (low[2], high[2])])
    for seen, edges in zip(seen_by_blender(files), expected, strict=True):
        assert_allclose(seen[:2], edges, atol=5e-3)
        assert seen[3] >= 1


def test_metres_axes_and_bytes(characters: dict[str, AnimatedCharacter]) -> None:
    own = characters["kaykit_mage"]
    character = ExportedCharacter(own.character.mesh, rig=own.rig, motions=own.motions, height=0.5)
    back = character.in_metres()
    low, high = back.bounds()
    assert_allclose((low[1], high[1]), (0.0, 0.5), atol=1e-6)
    source = own.character.mesh.vertices
    # The character's own left stays +X, and what is nearest to the viewer has the largest z.
    assert back.vertices[:, 0].argmax() == source[:, 0].argmax()
    assert back.vertices[:, 2].argmax() == source[:, 1].argmin()
    assert GlbBody(character).encode() == GlbBody(character).encode()


def test_mirrored_rig_keeps_its_outside(characters: dict[str, AnimatedCharacter], tmp_path: Path) -> None:
    own = characters["enemy_frog"]
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mesh = own.character.mesh
    flipped = mesh.with_vertices(mesh.vertices * (-1, 1, 1)).rewound(np.ones(len(mesh.faces), np.bool_))
    flipped = replace(flipped, normals=None)
    write_glb(tmp_path / "a.glb", ExportedCharacter(flipped, rig=own.rig.placed(mirror), motions=own.motions))
    back = read_back(tmp_path / "a.glb")
    overlap, difference = likeness(flipped, back.character.mesh)
    assert overlap >= 0.99
    assert difference <= 2


@pytest.mark.parametrize("way", ["STEP", "CUBICSPLINE"])
def test_curves_of_weights_are_kept(
    characters: dict[str, AnimatedCharacter], tmp_path: Path, way: Interpolation
) -> None:
    own = strange(characters["kaykit_mage"])
    (track,) = own.motions[0].tracks
    splines = np.stack([track.values - 2, track.values, track.values + 2], axis=1)
    track = replace(track, values=splines if way == "CUBICSPLINE" else track.values, interpolation=way)
    motion = replace(own.motions[0], tracks=(track,))
    write_glb(tmp_path / "a.glb", ExportedCharacter(own.character.mesh, rig=own.rig, motions=(motion,)))
    back, times = read_back(tmp_path / "a.glb"), np.linspace(0, 2, 41)
    (before,) = poses(own.rig.skeleton, motion, times + 1).morph_weights.values()
    (after,) = poses(back.rig.skeleton, back.motions[0], times).morph_weights.values()
    assert_allclose(after, before, atol=2e-3)


def test_no_surface_is_refused(characters: dict[str, AnimatedCharacter]) -> None:
    mesh = characters["kenney_character"].character.mesh
    flat = mesh.with_vertices(mesh.vertices * (1, 1, 0))
    for bare in (mesh.of_faces(np.zeros(len(mesh.faces), np.bool_)), flat):
        with pytest.raises(CharacterError, match="hero has no"):
            ExportedCharacter(bare, "hero").to_metres()


def test_light_is_added_to_colours(characters: dict[str, AnimatedCharacter]) -> None:
    mesh = replace(strange(characters["kaykit_mage"]).character.mesh, colors=None)
    opaque = replace(mesh, materials=tuple(replace(m, alpha_mode="opaque") for m in mesh.materials))
    folded = replace(opaque, materials=tuple(map(with_light, opaque.materials)))
    overlap, difference = likeness(opaque, folded)
    assert overlap == 1
    assert difference <= 2
