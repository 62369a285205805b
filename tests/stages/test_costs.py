"""What stages do for a character, counted, as time depends on the machine."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from unittest.mock import Mock

import pytest

from specsia_build import png
from specsia_build.backends.registry import load_backend
from specsia_build.backends.relief import net
from specsia_build.characters.sources import open_source
from specsia_build.config import BuildConfig
from specsia_build.rendering.fast import renderer
from specsia_build.stages import render
from specsia_build.stages.project import PROJECT
from specsia_build.stages.reconstruct import RECONSTRUCT
from specsia_build.stages.render import RENDER
from specsia_build.stages.stage import Artefact, CharacterStage, Job
from tests.shapes import write_folder

VIEWS = 3


@pytest.mark.parametrize("backend", ["relief", "fusion"])
def test_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    counted: dict[str, Mock] = {}
    used = (renderer, "draw"), (png, "encode"), (net, "forward"), (render, "read_character")
    for module, name in used:
        counted[name] = Mock(side_effect=getattr(module, name))
        monkeypatch.setattr(module, name, counted[name])
    config = BuildConfig(source=str(write_folder(tmp_path / "figures", 1)), size=256, views=VIEWS)
    (entry,) = open_source(config.source, tmp_path).entries
    job, counts = Job(entry, config, load_backend(backend)), {}
    made: dict[CharacterStage, Artefact] = {}
    for stage in (RENDER, RECONSTRUCT, PROJECT):
        before = Counter({name: mock.call_count for name, mock in counted.items()})
        made[stage], _ = stage.make(job, {other: made[other] for other in stage.earlier})
        counts[stage.name] = Counter({name: mock.call_count for name, mock in counted.items()}) - before
    # Four small views more, of a figure whose front is not stated, and of the mesh beside it.
    drawn = {"draw": VIEWS + 4, "encode": 2 * VIEWS + 1, "read_character": 1}
    projected = {"draw": VIEWS + 4, "encode": 4 * VIEWS}
    of_backend = {"relief": ({"forward": 2, "encode": 1}, 16_000), "fusion": ({"draw": 6}, 62_000)}
    passes, most = of_backend[backend]
    assert counts == {"render": drawn, "reconstruct": passes, "project": projected}
    assert made[RECONSTRUCT].meta["triangles"] < most
