"""Views all around a character, rendered from what a build keeps: its reconstruction, and its source for Y*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset.pairs import Pair
from specsia_build.dataset.schema import DEFAULT_CONFIG, row_uid
from specsia_build.errors import UsageError
from specsia_build.frame import view_cameras
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.store import read_artefact, read_meta
from specsia_build.registration.similarity import Similarity
from specsia_build.rendering.contour import draw_contour
from specsia_build.rendering.registry import load_renderer
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.mesh_files import mesh_from_files

VIEWS = 60
"""Of a turn."""


def open_turntables(config: BuildConfig, layout: RunLayout) -> Callable[[str, str], Sequence[Pair]]:
    """What gives `VIEWS` evenly spaced pairs around a character, by a configuration's name and the character's id.

    Args:
        config: of the build that made the dataset.
        layout: of its folder.

    Raises:
        UsageError: here if the build's source is gone; when called, if the build has no such reconstruction.
    """
    entries = {entry.id: entry for entry in open_source(config.source, layout.source).entries}
    return partial(_around, config, layout, entries)


def _around(
    config: BuildConfig, layout: RunLayout, entries: dict[str, Entry], name: str, character_id: str
) -> Sequence[Pair]:
    backend = backend_name(config.backends[0]) if name == DEFAULT_CONFIG else name
    found = read_meta(layout.artefact(project.STAGE, backend, character_id))
    if found is None or character_id not in entries:
        raise UsageError(
            f"{layout.root} has no character '{character_id}' by '{backend}': --run takes the folder of the build that "
            "made the dataset"
        )
    made = mesh_from_files(read_artefact(layout.artefact(reconstruct.STAGE, backend, character_id), character_id).files)
    similarity = dict(found["registration"])
    registered = Similarity(**similarity | {"translation": tuple(similarity["translation"])}).apply_to(made)
    truth, _ = render.in_frame(read_character(entries[character_id]), config)
    thickness, grey = render.outline(config.seed, character_id)
    cameras = view_cameras(VIEWS, config.size)
    renderer = load_renderer(config.renderer)
    seen = renderer.render(registered, cameras, config.look)  # type: ignore[arg-type]
    wanted = renderer.render(truth, cameras, config.look)  # type: ignore[arg-type]
    pairs = []
    for view, (camera, z, y) in enumerate(zip(cameras, seen, wanted, strict=True)):
        pos, _, _ = project.positioned(z, registered, camera, config.pos_frame)
        pairs.append(
            Pair(
                row_uid(character_id, view),
                character_id,
                view,
                z.color,
                pos,
                draw_contour(y.color, y.coverage, thickness, grey),
                y.mask,
                backend=backend,
                outline_px=thickness,
                outline_grey=grey,
            )
        )
    return pairs
