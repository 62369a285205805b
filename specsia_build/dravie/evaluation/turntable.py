"""Views all around a character, rendered from what a build keeps: its reconstruction, and its source for Y*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from specsia_build.stages.artefact import DIGEST
from specsia_build.stages.mesh_files import mesh_from_files

VIEWS = 60
"""Of a turn."""


@dataclass(frozen=True)
class Turntables:
    """Views all around the characters of a build, drawn when they are asked for.

    Attributes:
        config: of the build that made the dataset.
        layout: of its folder.
        entries: of its source, by their ids.
    """

    config: BuildConfig
    layout: RunLayout
    entries: Mapping[str, Entry]

    def key(self, name: str, character_id: str) -> str:
        """What tells the views of a character from those of another build, or of the same one built anew.

        Raises:
            UsageError: as when they are asked for.
        """
        return " ".join(str(meta[DIGEST]) for meta in self._metas(name, character_id))

    def __call__(self, name: str, character_id: str) -> Sequence[Pair]:
        """`VIEWS` evenly spaced pairs around a character.

        Args:
            name: of the dataset's configuration.
            character_id: the character's.

        Raises:
            UsageError: if the build has no such reconstruction.
        """
        found, _ = self._metas(name, character_id)
        return _around(self.config, self.layout, self.entries[character_id], self._backend(name), found)

    def _backend(self, name: str) -> str:
        return backend_name(self.config.backends[0]) if name == DEFAULT_CONFIG else name

    def _metas(self, name: str, character_id: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Of what was made of a character by a backend, and of its render."""
        backend = self._backend(name)
        found = read_meta(self.layout.artefact(project.STAGE, backend, character_id))
        rendered = read_meta(self.layout.artefact(render.STAGE, backend, character_id))
        if found is None or rendered is None or character_id not in self.entries:
            raise UsageError(
                f"{self.layout.root} has no character '{character_id}' by '{backend}': --run takes the folder of the "
                "build that made the dataset"
            )
        return found, rendered


def open_turntables(config: BuildConfig, layout: RunLayout) -> Turntables:
    """The views around the characters of a build.

    Args:
        config: of the build that made the dataset.
        layout: of its folder.

    Raises:
        UsageError: if the build's source is gone.
    """
    return Turntables(config, layout, {entry.id: entry for entry in open_source(config.source, layout.source).entries})


def _around(
    config: BuildConfig, layout: RunLayout, entry: Entry, backend: str, found: Mapping[str, Any]
) -> Sequence[Pair]:
    character_id = entry.id
    made = mesh_from_files(read_artefact(layout.artefact(reconstruct.STAGE, backend, character_id), character_id).files)
    similarity = dict(found["registration"])
    registered = Similarity(**similarity | {"translation": tuple(similarity["translation"])}).apply_to(made)
    truth, _ = render.in_frame(read_character(entry), config)
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
