"""Open runs, datasets, evaluations, repairs, sources as galleries; render characters at more angles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from specsia_build import png
from specsia_build.arrays import Pixels
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.survey import CharacterFacts
from specsia_build.config import BuildConfig
from specsia_build.dataset.places import HUB_ID
from specsia_build.dataset.reading import open_dataset
from specsia_build.dataset.schema import COLOR, GT, GT_MASK, MASK, POS
from specsia_build.errors import SpecsiaError, UsageError, plural, spelled
from specsia_build.frame import Camera, view_cameras, view_yaws
from specsia_build.look import sections
from specsia_build.look.dataset import gallery_of_dataset
from specsia_build.look.evaluation import REPORT, gallery_of_evaluation, holds_evaluation
from specsia_build.look.items import TARGET, FailedItem, Gallery, Item, LayerPngs, Side
from specsia_build.look.repair import gallery_of_repairs, holds_repairs
from specsia_build.look.run import entries_of, gallery_of_run
from specsia_build.pipeline.run import RunPaths, existing_run, paths_of
from specsia_build.pipeline.store import read_artefact
from specsia_build.published.tree import is_tree
from specsia_build.rendering.layers import Layers, load_renderer
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.positions import edge_image
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.clips.carry import registered

STEPS = 36  # Angles of a turn that looks smooth


def _is_run(where: str) -> bool:
    """Whether a place is a run rather than a dataset; raises UsageError for a folder that is neither."""
    if "://" in where:
        return paths_of(where).config.is_file()
    folder = Path(where)
    if not folder.exists() and not where.startswith("~") and not HUB_ID.fullmatch(where):
        kinds = "the folder of a run, a dataset, an evaluation or a repair, or OWNER/NAME on the Hub"
        raise UsageError(f"there is no folder {where}: give {kinds}")
    if RunPaths(folder).config.is_file():
        return True
    if folder.is_dir() and not is_tree(folder) and not any(folder.rglob("*.parquet")):
        kinds = "run, dataset, evaluation or repair"
        raise UsageError(f"{spelled(folder)} holds no {kinds}: give the folder that such a command wrote to")
    return False


def page_of(where: str) -> Path:
    """Default path of the report of a place."""
    if holds_evaluation(Path(where)):
        return Path(where) / REPORT
    if not holds_repairs(Path(where)) and _is_run(where):
        return existing_run(where)[1].report
    folder = Path(where).absolute()
    if "://" in where or not folder.is_dir():
        raise UsageError(f"{where} is not in a folder here: say where the page goes with --out page.html")
    return folder.with_name(f"{folder.name}-report.html")


def open_gallery(where: str) -> tuple[Gallery, Callable[[], sections.Sections]]:
    """Open a run, an evaluation, a repair or a packed dataset: its folder, an fsspec URL, or ``OWNER/NAME``.

    Returns the gallery, and a function that computes the tables of its report.
    """
    if holds_evaluation(Path(where)):
        return gallery_of_evaluation(where), partial(sections.of_evaluation, Path(where))
    if holds_repairs(Path(where)):
        return gallery_of_repairs(where), partial(sections.of_repairs, Path(where))
    if _is_run(where):
        gallery, facts = gallery_of_run(*existing_run(where))
        return gallery, partial(sections.of_run, facts, gallery)
    dataset = open_dataset(where)
    gallery = gallery_of_dataset(dataset)
    return gallery, partial(sections.of_dataset, dataset, gallery)


@dataclass(frozen=True)
class SourceReader:
    """Holds one picture of each character, by id."""

    pictures: Mapping[str, bytes]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> LayerPngs:
        return {GT: [self.pictures[item]]}


def gallery_of_source(name: str, facts: Sequence[CharacterFacts], views: Sequence[bytes]) -> Gallery:
    """Make the gallery of a source before a build; characters without a picture are listed as failed."""
    pictures = {character.id: view for character, view in zip(facts, views, strict=True) if view}
    warnings = {f.id: (*([f.problem] if f.problem else []), *map(str, f.warnings)) for f in facts}
    items = [
        Item(
            id=character.id,
            character=character.id,
            split="",
            frames=1,
            sides={TARGET: Side(TARGET, (GT,), facts={"format": character.format, "faces": character.faces})},
            yaws=(0.0,),
            warnings=warnings[character.id],
            numbers={"triangles": character.triangles, "vertices": character.vertices},
        )
        for character in facts
        if character.id in pictures
    ]
    reasons = {key: "; ".join(own) or "nothing can be drawn of it" for key, own in warnings.items()}
    failed = [FailedItem(f.id, f.id, "read", None, reasons[f.id]) for f in facts if f.id not in pictures]
    warned = sum(map(bool, warnings.values()))
    return Gallery(
        kind="source",
        where=name,
        title=name,
        lead=f"View 0 of {plural(len(facts), 'character')}, {warned} with warnings or problems.",
        moving=False,
        items=tuple(items),
        reader=SourceReader(pictures),
        failed=tuple(failed),
    )


@dataclass(frozen=True)
class TurnedReader:
    """Renders a run's characters at `STEPS` angles."""

    config: BuildConfig
    paths: RunPaths
    entries: Mapping[str, Entry]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> LayerPngs:
        all_cameras, mesh = view_cameras(STEPS, self.config.size), self._mesh(item, side)
        cameras = [all_cameras[k] for k in frames]
        views = load_renderer(self.config.renderer).render(mesh, cameras, self.config.look)
        pictures: dict[str, list[bytes]] = {layer: [] for layer in layers}
        for camera, view in zip(cameras, views, strict=True):
            for layer in layers:
                pictures[layer].append(png.encode(self._picture(item, layer, view, mesh, camera)))
        return pictures

    def _mesh(self, item: str, side: str) -> Mesh:
        """The character, or its registered reconstruction by the backend of this name."""
        if side == TARGET:
            return render.in_frame(read_character(self.entries[item]), self.config)[0]
        stages = reconstruct.RECONSTRUCT, project.PROJECT
        return registered({s: read_artefact(self.paths.artefact(s, side, item), item) for s in stages})

    def _picture(self, item: str, layer: str, view: Layers, mesh: Mesh, camera: Camera) -> Pixels:
        if layer == GT:
            return render.outline(self.config.seed, item, self.config.outline).draw(view)
        if layer == COLOR:
            return view.color
        if layer in (MASK, GT_MASK):
            return view.mask
        pos, _, _ = project.positioned(view, mesh, camera, self.config.pos_frame)
        return pos if layer == POS else edge_image(pos)


def smooth(gallery: Gallery, config: BuildConfig, paths: RunPaths) -> Gallery:
    """Show a run of stills at `STEPS` angles; the same gallery if it has as many or its source is gone."""
    if config.clips is not None or config.views >= STEPS:
        return gallery
    try:
        entries = entries_of(config, paths)
    except SpecsiaError:
        return gallery
    if not {item.id for item in gallery.items} <= entries.keys():
        return gallery
    items = tuple(replace(item, frames=STEPS, yaws=tuple(view_yaws(STEPS))) for item in gallery.items)
    return replace(gallery, items=items, reader=TurnedReader(config, paths, entries))
