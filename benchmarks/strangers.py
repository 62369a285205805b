"""Sound characters spoilt in ways whose answer is known: what share is found, and what is said of sound ones.

python -m benchmarks.strangers SOURCE [SOURCE…] --out FOLDER
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import trimesh
from numpy.typing import NDArray
from PIL import Image
from trimesh.visual import TextureVisuals
from trimesh.visual.material import PBRMaterial

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.errors import SpecsiaError
from specsia_build.frame import normalise, view_cameras
from specsia_build.rendering.mesh import Material, Mesh
from specsia_build.rendering.registry import load_renderer

SIZE, VIEWS = 192, 4

LEVELS = 12
"""Display levels that two pixels alike are within."""

LEAST_SAME = 0.99
"""IoU of two silhouettes, and share of the pixels that are alike, of pictures that are the same."""

FOUND, MISSED, WRONG = "found", "missed", "wrong"
"""The known answer was given, none was, or another."""

Y_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], float)
"""From the frame (Z up, facing -Y) to glTF's axes."""


@dataclass(frozen=True)
class Figure:
    """A sound character: its mesh in the frame, standing on z = 0 and one unit high, and the same in named parts."""

    name: str
    mesh: Mesh
    parts: dict[str, trimesh.Trimesh]


@dataclass(frozen=True)
class Outcome:
    """Of one trial: what came of it, and what was said."""

    figure: str
    trial: str
    verdict: str
    said: tuple[str, ...]


def drawn(mesh: Mesh, size: int, views: int) -> NDArray[np.uint8]:
    """Colours (V, H, W, 4) of a mesh in its own units."""
    cameras = view_cameras(views, size)
    placed = normalise(mesh.vertices, cameras, 1)
    seen = load_renderer("fast").render(mesh.with_vertices(placed.apply(mesh.vertices)), cameras, "unlit")
    return np.stack([layers.color for layers in seen])


def _material(of: Material, textured: bool) -> PBRMaterial:
    picture = None
    if of.texture is not None and textured:
        kind = "RGBA" if of.alpha_mode != "opaque" else "RGB"
        picture = Image.fromarray(of.texture.pixels, "RGBA").convert(kind)
    colour = np.array(of.base_color if textured else (0.8, 0.8, 0.8, 1.0))
    return PBRMaterial(
        name=of.name or "material",
        baseColorFactor=np.rint(colour * 255).astype(np.uint8),
        baseColorTexture=picture,
        metallicFactor=0.0,
        alphaMode=of.alpha_mode.upper(),
        doubleSided=True,
    )


def parts_of(mesh: Mesh, textured: bool = True) -> dict[str, trimesh.Trimesh]:
    """A mesh's materials as meshes of their own, in the frame; vertex colours become those of a material's mean."""
    found = {}
    for number in np.unique(mesh.face_material):
        faces = np.flatnonzero(mesh.face_material == number)
        of = mesh.materials[number]
        uv = mesh.uv[faces] if mesh.uv is not None else np.zeros((len(faces), 3, 2), np.float32)
        corners = np.column_stack([mesh.faces[faces].ravel(), uv.reshape(-1, 2).view(np.int32).reshape(-1, 2)])
        _, first, inverse = np.unique(corners, axis=0, return_index=True, return_inverse=True)
        places = mesh.vertices[mesh.faces[faces].ravel()[first]]
        look = _material(of, textured)
        if mesh.colors is not None and textured:
            mean = mesh.colors[faces].reshape(-1, 4).mean(axis=0) * np.array(of.base_color)
            look.baseColorFactor = np.rint(mean * 255).astype(np.uint8)
        at = uv.reshape(-1, 2)[first] * [1, -1] + [0, 1]
        found[f"Body{number}"] = trimesh.Trimesh(
            places, inverse.reshape(-1, 3), process=False, visual=TextureVisuals(uv=at, material=look)
        )
    return found


def _both_sides(of: Material) -> Material:
    return dataclasses.replace(of, double_sided=True)


def figures(entries: list[Entry]) -> Iterator[Figure]:
    """Characters as their manifest has them, one unit high."""
    for entry in entries:
        mesh = read_character(entry).mesh
        mesh = dataclasses.replace(mesh, materials=tuple(_both_sides(of) for of in mesh.materials))
        low, high = mesh.bounds()
        middle = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
        mesh = mesh.with_vertices((mesh.vertices - middle) / (high[2] - low[2]))
        yield Figure(entry.id, mesh, parts_of(mesh))


def _plain(vertices: NDArray[np.floating], faces: NDArray[np.integer], colour: tuple[int, int, int]) -> trimesh.Trimesh:
    look = PBRMaterial(name="plain", baseColorFactor=[*colour, 255], metallicFactor=0.0, doubleSided=False)
    uv = np.zeros((len(vertices), 2))
    return trimesh.Trimesh(vertices, faces, process=False, visual=TextureVisuals(uv=uv, material=look))


def _box(
    low: tuple[float, float, float], high: tuple[float, float, float], colour: tuple[int, int, int]
) -> trimesh.Trimesh:
    box = trimesh.creation.box(bounds=[low, high])
    return _plain(box.vertices, box.faces, colour)


def _span(figure: Figure) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    return figure.mesh.bounds()


def ground(figure: Figure) -> dict[str, trimesh.Trimesh]:
    """A plate beneath the feet, half as wide again as the figure."""
    low, high = _span(figure)
    reach = 0.75 * max(high[0] - low[0], high[1] - low[1])
    return figure.parts | {"Ground": _box((-reach, -reach, -0.02), (reach, reach, 0.0), (120, 160, 90))}


def backdrop(figure: Figure) -> dict[str, trimesh.Trimesh]:
    """A wall behind the figure, larger than it."""
    low, high = _span(figure)
    reach = 0.75 * (high[0] - low[0])
    behind = float(high[1]) + 0.3
    return figure.parts | {"Wall": _box((-reach, behind, -0.05), (reach, behind + 0.02, 1.2), (150, 170, 210))}


def second(figure: Figure) -> dict[str, trimesh.Trimesh]:
    """The same figure once more, beside it."""
    low, high = _span(figure)
    aside = {f"Other{name}": part.copy() for name, part in figure.parts.items()}
    for part in aside.values():
        part.apply_translation([1.3 * (high[0] - low[0]), 0, 0])
    return figure.parts | aside


def hull(figure: Figure) -> dict[str, trimesh.Trimesh]:
    """The usual outline: a black hull, turned inside out, whose faces are there from their front only."""
    whole = trimesh.Trimesh(figure.mesh.vertices, figure.mesh.faces, process=False)
    whole.merge_vertices(merge_tex=True, merge_norm=True)
    # Faces that are there from both sides may be wound either way.
    whole.fix_normals(multibody=True)
    grown = whole.vertices + 0.008 * whole.vertex_normals
    return figure.parts | {"Outline": _plain(grown, whole.faces[:, ::-1], (0, 0, 0))}


def stripped(figure: Figure) -> dict[str, trimesh.Trimesh]:
    """One default grey, without a texture."""
    return parts_of(figure.mesh, textured=False)


def write(parts: dict[str, trimesh.Trimesh], path: Path, turn: NDArray[np.floating] | None = None) -> None:
    """Write parts of the frame as a GLB, turned first."""
    scene = trimesh.Scene()
    for name, part in parts.items():
        moved = part.copy()
        moved.apply_transform(Y_UP if turn is None else Y_UP @ turn)
        scene.add_geometry(moved, node_name=name, geom_name=name)
    path.write_bytes(scene.export(file_type="glb"))


def read(path: Path, **overrides: object) -> tuple[Mesh, tuple[str, ...]]:
    """A file as a build reads it, and what is said of it."""
    entry = Entry(path.stem, "gltf", path, **overrides)  # type: ignore[arg-type]
    character = read_character(entry)
    return character.mesh, character.warnings


def same(mesh: Mesh, other: Mesh) -> bool:
    """Whether two meshes look the same from all around."""
    ours, theirs = drawn(mesh, SIZE, VIEWS).astype(int), drawn(other, SIZE, VIEWS).astype(int)
    shown, there = ours[..., 3] >= 128, theirs[..., 3] >= 128
    both = shown & there
    alike = (np.abs(ours - theirs)[..., :3].max(axis=-1) <= LEVELS)[both].mean() if both.any() else 0.0
    return bool(both.sum() >= LEAST_SAME * (shown | there).sum() and alike >= LEAST_SAME)


TURN = trimesh.transformations.rotation_matrix(np.pi / 2, [0, 0, 1])
LAID = trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0])
"""From the front to the side, and from standing onto the front, as Z-up files lie that are taken for Y-up ones."""


def _told(*words: str) -> Callable[[Mesh, Mesh, tuple[str, ...]], str]:
    """Found where something is said with one of some words."""
    return lambda _, __, said: FOUND if any(word in line for line in said for word in words) else MISSED


def _turned(by: NDArray[np.floating]) -> Callable[[Mesh, Mesh, tuple[str, ...]], str]:
    """Found where it was turned back; missed where it was left as it was; wrong where it was turned elsewhere."""

    def judge(mesh: Mesh, sound: Mesh, _: tuple[str, ...]) -> str:
        if same(mesh, sound):
            return FOUND
        return MISSED if same(mesh, sound.rotated(by[:3, :3])) else WRONG

    return judge


def _outlined(mesh: Mesh, sound: Mesh, _: tuple[str, ...]) -> str:
    """Found where black lines are at most a third of what is seen; an outline that hides the figure is wrong."""
    ours, theirs = (drawn(one, SIZE, 1)[0] for one in (mesh, sound))
    black = [float((one[one[..., 3] >= 128][:, :3].max(axis=-1) <= LEVELS).mean()) for one in (ours, theirs)]
    return FOUND if black[0] - black[1] <= 1 / 3 else WRONG


def _left_alone(mesh: Mesh, sound: Mesh, said: tuple[str, ...]) -> str:
    return WRONG if said or not same(mesh, sound) else FOUND


def trials(figure: Figure, path: Path) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Name of each trial with a figure, the verdict, and what was said; files go to `path`."""
    sound = figure.mesh
    write(figure.parts, path)
    auto = {"up": "auto", "front": "auto"}
    asked: list[tuple[str, Callable[[Mesh, Mesh, tuple[str, ...]], str], Callable[[], None], dict[str, str]]] = [
        ("left as it is", _left_alone, lambda: None, {}),
        ("turned by 90°, axes `auto`", _turned(TURN), lambda: write(figure.parts, path, TURN), auto),
        ("laid down, axes `auto`", _turned(LAID), lambda: write(figure.parts, path, LAID), auto),
        ("stripped of its colours", _told("grey", "texture"), lambda: write(stripped(figure), path), {}),
        ("on a plate", _told("Ground"), lambda: write(ground(figure), path), {}),
        ("before a wall", _told("Wall"), lambda: write(backdrop(figure), path), {}),
        ("beside another", _told("Other", "figures"), lambda: write(second(figure), path), {}),
        ("in a hull", _outlined, lambda: write(hull(figure), path), {}),
    ]
    for name, judge, make, overrides in asked:
        make()
        try:
            mesh, said = read(path, **overrides)
        except SpecsiaError as error:
            yield name, WRONG, (str(error),)
            continue
        yield name, judge(mesh, sound, said), said


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def table(outcomes: list[Outcome]) -> str:
    """Counts by trial, in Markdown."""
    lines = ["| trial | characters | found | missed | wrong |", "|---|---|---|---|---|"]
    for name in dict.fromkeys(one.trial for one in outcomes):
        verdicts = [one.verdict for one in outcomes if one.trial == name]
        lines.append(
            f"| {name} | {len(verdicts)} | " + " | ".join(str(verdicts.count(v)) for v in (FOUND, MISSED, WRONG)) + " |"
        )
    return "\n".join(lines)


@click.command()
@click.argument("sources", nargs=-1, required=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where the files go.")
def main(sources: tuple[str, ...], out: Path) -> None:
    """Spoil each character of each SOURCE: `strangers.md` and `strangers.json` in the folder of --out."""
    out.mkdir(parents=True, exist_ok=True)
    outcomes = []
    with TemporaryDirectory() as scratch:
        for number, source in enumerate(sources):
            entries = list(open_source(source, Path(scratch) / str(number)).entries)
            for figure in figures(entries):
                for name, verdict, said in trials(figure, Path(scratch) / "figure.glb"):
                    outcomes.append(Outcome(figure.name, name, verdict, said))
    counts = table(outcomes)
    (out / "strangers.md").write_text(counts + "\n", encoding="utf-8")
    text = json.dumps([vars(one) for one in outcomes], indent=1, ensure_ascii=False)
    (out / "strangers.json").write_text(text, encoding="utf-8")
    click.echo(counts)


if __name__ == "__main__":
    main()
