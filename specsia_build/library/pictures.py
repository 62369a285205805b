"""Characters, their views, reconstructions of the frontal view, and pairs of both."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, TypeVar, overload

import msgspec
import numpy as np

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.backends.registry import load_backend
from specsia_build.characters.character import Character, safe_id
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import only_entry, problem_of
from specsia_build.config import BuildConfig, Look, PosFrame, RendererName, checked
from specsia_build.dataset.layers import view_file
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import row_uid
from specsia_build.errors import ByShape, UsageError, plural
from specsia_build.files.names import file_name
from specsia_build.files.writing import write_bytes
from specsia_build.frame import Camera, Normalisation, normalise, view_cameras
from specsia_build.library.checks import check_mesh, plain
from specsia_build.library.repair import PictureInput, framed
from specsia_build.registration import Registration, iou
from specsia_build.rendering.contour import MOST_THICKNESS, draw_contour
from specsia_build.rendering.layers import Layers, load_renderer
from specsia_build.rendering.mesh import Mesh, compacted
from specsia_build.stages.project import positioned, registered
from specsia_build.stages.reconstruct import reconstruct_picture
from specsia_build.stages.render import outline as outline_of
from specsia_build.warning import Warning

OVERRIDES = ("id", "texture", "up", "front", "sides", "pose", "drop", "license", "source")
"""Keys of a manifest line that `load` takes."""

_T = TypeVar("_T")

_Outline = tuple[
    Annotated[int, msgspec.Meta(ge=0, le=int(MOST_THICKNESS))], Annotated[int, msgspec.Meta(ge=0, le=255)]
]


def load(path: str | Path, **overrides: Any) -> Character:
    """Read a character: ``mesh``, Z up and facing -Y, in its own units, ``warnings``, droppable ``parts``.

    Args:
        path: a mesh file, the folder of a 3DBiCar character, or ``sample:1`` for a procedural one.
        overrides: keys of a manifest line, see `OVERRIDES`; ``texture`` is a path, ``drop`` names parts.

    Raises: UsageError if there is no such file, or several characters; CharacterError if it cannot be built.
    """
    if unknown := sorted(overrides.keys() - {*OVERRIDES}):
        raise UsageError(f"a character has no '{unknown[0]}' to override: there are {', '.join(OVERRIDES)}")
    line: dict[str, Any] = {k: str(v) if isinstance(v, Path) else v for k, v in overrides.items()}
    if (problem := problem_of(line)) is not None:
        raise UsageError(problem)
    if "drop" in line:
        line["drop"] = tuple(line["drop"])
    if "texture" in line:
        line["texture"] = Path(line["texture"])
        if not line["texture"].is_file():
            raise UsageError(f"there is no '{line['texture']}' for 'texture'")
    # A procedural character is generated from its own id, so another id is set afterwards.
    name = line.pop("id", None)
    with TemporaryDirectory(prefix="specsia-") as scratch:
        entry = only_entry(str(path), Path(scratch))
        character = read_character(msgspec.structs.replace(entry, **line))
    if name is None:
        return character
    return replace(character, entry=msgspec.structs.replace(character.entry, id=name))


@dataclass(frozen=True, eq=False, repr=False)
class View(ByShape):
    """One view: its camera; `layers` (`color` (H, W, 4) uint8, `coverage` and `mask` (H, W) uint8, `position`
    (H, W, 3) float32); and `target` (H, W, 4) uint8, Y*: the colours with the drawn contour."""

    camera: Camera
    layers: Layers
    target: Pixels


class _Items(Sequence[_T]):
    items: tuple[_T, ...]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[_T, ...]: ...
    def __getitem__(self, index: int | slice) -> _T | tuple[_T, ...]:
        return self.items[index]


@dataclass(frozen=True, eq=False, repr=False)
class Views(_Items[View]):
    """The views of one character, the frontal one first; ``views[0]`` is what `reconstruct` takes.

    Attributes:
        mesh: the character in the frame: its box's centre at the origin, its largest extent 1.
        placed: the transform that moved it there.
        outline: thickness in pixels and grey level of the contour.
    """

    items: tuple[View, ...]
    mesh: Mesh
    placed: Normalisation
    outline: tuple[int, int]
    character_id: str
    look: Look
    renderer: RendererName

    def __repr__(self) -> str:
        return f"Views({self.character_id!r}, {plural(len(self), 'view')} of {self[0].camera.size} pixels)"

    def save(self, folder: str | Path) -> Path:
        """Write ``color_KK.png``, ``mask_KK.png``, ``pos_KK.png``, ``gt_KK.png`` (contoured) of the views."""
        for number, view in enumerate(self):
            pos, _, _ = positioned(view.layers, self.mesh, view.camera, BuildConfig.pos_frame)
            layers = {"color": view.layers.color, "mask": view.layers.mask, "pos": pos, "gt": view.target}
            for name, pixels in layers.items():
                write_bytes(Path(folder) / view_file(name, number), png.encode(pixels))
        return Path(folder)


def render(
    character: Character | Mesh,
    views: int = 10,
    size: int = 512,
    *,
    character_id: str | None = None,
    outline: tuple[int, int] | None = None,
    **settings: Any,
) -> Views:
    """Render a character from evenly spaced views, as `specsia build` does.

    Args:
        character: read by `load`, or a mesh of your own, Z up and facing -Y, in any units.
        views: number, 1-360; view 0 is the front, the others follow counter-clockwise seen from above.
        size: width and height in pixels, 32-2048.
        character_id: id from which the contour is drawn; a character's own by default.
        outline: thickness (0-16 px) and grey (0-255) of the contour, drawn from `seed` and the id by default.
        settings: ``look`` (`unlit` or `lit`), ``renderer`` (`fast` or an extra), ``seed`` (of the contour).
    """
    if unknown := sorted(settings.keys() - {"look", "renderer", "seed"}):
        raise UsageError(f"render takes look, renderer and seed, not {unknown[0]}")
    config = BuildConfig(**plain({"views": views, "size": size, **settings}))
    own = character.entry.id if isinstance(character, Character) else "character"
    name = file_name(str(character_id or own), "character's id")
    if outline is None:
        contour = outline_of(config.seed, name)
        assert contour.colour is not None
        outline = contour.thickness, contour.colour[0]
    thickness, grey = checked("outline", np.asarray(outline).tolist(), _Outline)
    renderer = load_renderer(config.renderer)
    renderer.check()
    mesh = compacted(check_mesh(character))
    cameras = view_cameras(config.views, config.size)
    placed = normalise(mesh.vertices, cameras, thickness + 1)
    mesh = mesh.with_vertices(placed.apply(mesh.vertices))
    rendered = [
        View(camera, layers, draw_contour(layers.color, layers.coverage, thickness, grey))
        for camera, layers in zip(cameras, renderer.render(mesh, cameras, config.look), strict=True)
    ]
    return Views(tuple(rendered), mesh, placed, (thickness, grey), name, config.look, config.renderer)


@dataclass(frozen=True)
class Reconstruction:
    """A textured mesh in the frame's axes, unregistered; `needs_yaw` if its yaw must be found as well."""

    mesh: Mesh
    backend: str = "own"
    needs_yaw: bool = False
    warnings: tuple[Warning, ...] = ()


def reconstruct(
    picture: View | PictureInput,
    backend: str | None = None,
    *,
    character_id: str = "character",
    ground_truth: Mesh | None = None,
    seed: int = 42,
) -> Reconstruction:
    """Reconstruct a character from its frontal picture.

    Args:
        picture: a view, or a drawing: a file, a picture of Pillow, or (H, W, 3) or (H, W, 4) uint8 with
            straight alpha, which is cut out, scaled to 512 pixels, and loses its contour, as for `repair`.
        backend: ``NAME`` or ``NAME:ARGUMENT``, as for `specsia build --backend`, which has the same default.
        character_id: part of the seed, and the mesh that a backend such as ``mesh-dir`` reads.
        ground_truth: the character's mesh (``views.mesh``), for backends that imitate others by damaging it.
    """
    source = load_backend(BuildConfig(seed=seed).backends[0] if backend is None else backend)
    truth = None if ground_truth is None else check_mesh(ground_truth)
    known: tuple[Warning, ...] = ()
    if isinstance(picture, View):
        image, context = picture.layers.color, {"framed": True}
    else:
        front = framed(picture)
        image, known = front.color, front.warnings
        context = {"is_profile": front.is_profile and source.sees_profile}
    mesh, warnings = reconstruct_picture(source, image, safe_id(character_id), truth, seed=seed, **context)
    return Reconstruction(mesh, source.name, source.needs_yaw, (*known, *warnings))


@dataclass(frozen=True, eq=False, repr=False)
class Pairs(_Items[Pair]):
    """The pairs of one character: Z and Zpos (Zmask is their alpha) beside Y*, view by view.

    Attributes:
        registration: similarity transform that fits the reconstruction to the character, and its quality.
        mesh: the registered reconstruction.
    """

    items: tuple[Pair, ...]
    registration: Registration
    mesh: Mesh

    def __repr__(self) -> str:
        return f"Pairs({plural(len(self), 'pair')} of {self[0].character_id!r} by {self[0].backend})"

    @property
    def mean_iou(self) -> float:
        """Mean IoU of the silhouettes over all views; `specsia build` quarantines characters below 0.5."""
        return float(np.mean([pair.iou for pair in self if pair.iou is not None]))

    def save(self, folder: str | Path) -> Path:
        """Write ``color/``, ``mask/``, ``pos/`` and ``gt/``, a PNG per view, as `specsia enhance` reads."""
        for pair in self:
            layers = {"color": pair.z, "mask": pair.z[..., 3], "pos": pair.pos, "gt": pair.gt}
            for name, pixels in layers.items():
                write_bytes(Path(folder) / name / f"{file_name(pair.uid, 'uid')}.png", png.encode(pixels))
        return Path(folder)


def pair(guess: Reconstruction | Mesh | Character, views: Views, *, pos_frame: str = "character") -> Pairs:
    """Register a reconstruction to a character's views and render it with the same cameras.

    Args:
        guess: from `reconstruct`, from `load`, or a mesh of your own in the frame's axes, in any scale.
        pos_frame: whether Zpos has positions on the `character`, or in each `view`.
    """
    checked("pos_frame", pos_frame, PosFrame)
    reconstruction = guess if isinstance(guess, Reconstruction) else Reconstruction(check_mesh(guess))
    masks, cameras = np.stack([view.layers.mask for view in views]), [view.camera for view in views]
    mesh = compacted(check_mesh(reconstruction.mesh))
    registration = registered(
        mesh, masks, cameras, views[0].target, views.look, any_yaw=reconstruction.needs_yaw
    )
    placed = registration.similarity.apply_to(mesh)
    layers = load_renderer(views.renderer).render(placed, cameras, views.look)
    pairs = [
        Pair(
            uid=row_uid(views.character_id, number),
            character_id=views.character_id,
            view=number,
            z=rendered.color,
            pos=positioned(rendered, placed, view.camera, pos_frame)[0],
            gt=view.target,
            gt_mask=view.layers.mask,
            iou=iou(rendered.mask, view.layers.mask),
            backend=reconstruction.backend,
            outline_px=views.outline[0],
            outline_grey=views.outline[1],
            outline_rgb=(views.outline[1],) * 3,
        )
        for number, (view, rendered) in enumerate(zip(views, layers, strict=True))
    ]
    return Pairs(tuple(pairs), registration, placed)
