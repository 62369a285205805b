"""The characters of a run at more angles than were built, drawn anew from its source and its reconstructions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import BuildConfig
from specsia_build.dataset import schema
from specsia_build.dataset.images import edge_image
from specsia_build.errors import SpecsiaError
from specsia_build.films import Pixels
from specsia_build.frame import Camera, view_cameras, view_yaws
from specsia_build.look.items import TARGET, Gallery
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.selection import source_of
from specsia_build.pipeline.store import read_artefact
from specsia_build.registration import Similarity
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.layers import Layers
from specsia_build.rendering.mesh import Mesh
from specsia_build.rendering.registry import load_renderer
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.mesh_files import mesh_from_files

STEPS = 36
"""Angles of a turn that looks smooth."""


@dataclass(frozen=True)
class TurnedReader:
    """Draws pictures of a run's characters at `STEPS` angles.

    Attributes:
        config, layout: of the run.
        entries: its characters by id.
    """

    config: BuildConfig
    layout: RunLayout
    entries: Mapping[str, Entry]

    def read(self, item: str, side: str, layers: Sequence[str], frames: Sequence[int]) -> dict[str, list[bytes]]:
        """See `Reader`."""
        every, mesh = view_cameras(STEPS, self.config.size), self._mesh(item, side)
        cameras = [every[k] for k in frames]
        views = load_renderer(self.config.renderer).render(mesh, cameras, self.config.look)  # type: ignore[arg-type]
        pictures: dict[str, list[bytes]] = {layer: [] for layer in layers}
        for camera, view in zip(cameras, views, strict=True):
            for layer in layers:
                pictures[layer].append(png.encode(self._picture(item, layer, view, mesh, camera)))
        return pictures

    def _mesh(self, item: str, side: str) -> Mesh:
        """The character, or its registered reconstruction by the backend of this name."""
        if side == TARGET:
            return render.in_frame(read_character(self.entries[item]), self.config)[0]
        reconstruction, projection = (
            read_artefact(self.layout.artefact(stage, side, item), item) for stage in (reconstruct.STAGE, project.STAGE)
        )
        values = projection.meta["registration"]
        similarity = Similarity(**{**values, "translation": tuple(values["translation"])})
        return similarity.apply_to(mesh_from_files(reconstruction.files))

    def _picture(self, item: str, layer: str, view: Layers, mesh: Mesh, camera: Camera) -> Pixels:
        if layer == schema.GT:
            contour = render.outline(self.config.seed, item, self.config.outline)
            return draw_contour(view.color, view.coverage, *contour)
        if layer == schema.COLOR:
            return view.color
        if layer in (schema.MASK, schema.GT_MASK):
            return view.mask
        pos, _, _ = project.positioned(view, mesh, camera, self.config.pos_frame)
        return pos if layer == schema.POS else edge_image(pos)


def smooth(gallery: Gallery, config: BuildConfig, layout: RunLayout) -> Gallery:
    """Show a run of stills at `STEPS` angles; the same gallery if it has as many, or its source is not at hand."""
    if config.clips is not None or config.views >= STEPS:
        return gallery
    try:
        entries = {entry.id: entry for entry in source_of(config, layout).entries}
    except SpecsiaError:
        return gallery
    there = {key for key, entry in entries.items() if entry.sample is not None or entry.path.exists()}
    if not {item.id for item in gallery.items} <= there:
        return gallery
    items = tuple(replace(item, frames=STEPS, yaws=tuple(view_yaws(STEPS))) for item in gallery.items)
    return replace(gallery, items=items, reader=TurnedReader(config, layout, entries))
