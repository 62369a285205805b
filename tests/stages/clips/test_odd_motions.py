"""Motions as strangers make them: that go far, that hold still, whose names mean something to a shell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from specsia_build import png
from specsia_build.pipeline.store import read_artefact
from specsia_build.stages.clips import draw
from tests.characters.gltf.writer import GltfWriter
from tests.clips import add_motion, clips_config, run_clips
from tests.shapes import BOX, PARTS, TRIANGLES

FAR = 20.0
TURNS = [[0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.866]]

Clip = tuple[str, str, str, list[Any]]
"""Name, node, path, and values a second apart."""


def write_scene(path: Path, clips: list[Clip], *, under: bool = False) -> Path:
    """A figure below ``hips``, a stone of one side beside it, and a camera; `under` hangs all of them on one node."""
    writer = GltfWriter()
    nodes = {}
    for name, (centre, size, _) in {**PARTS, "stone": ((0.7, 0.1, 0.0), (0.1, 0.1, 0.1), None)}.items():
        part = writer.primitive(BOX * np.array(size), TRIANGLES[: 6 if name == "stone" else None])
        nodes[name] = writer.mesh_node(part, name=name, translation=[float(c) for c in centre])
    nodes["hips"] = writer.add("nodes", name="hips", children=[node for name, node in nodes.items() if name != "stone"])
    nodes["camera"] = writer.add("nodes", name="camera")
    roots = [nodes["stone"], nodes["hips"], nodes["camera"]]
    writer.data["scenes"] = [{"nodes": [writer.add("nodes", name="scene", children=roots)] if under else roots}]
    writer.data["scene"] = 0
    for name, node, way, values in clips:
        add_motion(writer, name, nodes[node], way, range(len(values)), values)
    path.parent.mkdir(parents=True, exist_ok=True)
    return writer.write_glb(path)


def made(folder: Path, clips: list[Clip], *, under: bool = False, **settings: Any) -> tuple[str, list[Any]]:
    """What is said of the clips of a scene, and the artefacts of those that were drawn."""
    write_scene(folder / "figures/a.glb", clips, under=under)
    config = clips_config(folder / "figures", recipes=["frames"], turntable=False, views=1, **settings)
    layout, summary = run_clips(folder / "out", config)
    drawn = layout.artefact(draw.STAGE, None, "a-x-00").parent
    return " ".join(summary.warnings.get("a", ())), [
        read_artefact(path, path.stem) for path in sorted(drawn.glob("*.tar"))
    ]


@pytest.mark.parametrize("under", [False, True])
def test_a_figure_is_held_in_its_place_whatever_stands_beside_it(tmp_path: Path, under: bool) -> None:
    way = [[0.0, 0.0, 0.0], [FAR, 0.0, 0.0]]
    said, (clip,) = made(tmp_path, [("go", "hips", "translation", way)], under=under, in_place=True)
    masks = [png.decode(data, 1) > 0 for name, data in clip.files.items() if name.startswith("mask")]
    assert np.logical_and.reduce(masks).sum() > 0.7 * max(mask.sum() for mask in masks)
    assert "though held" in said and "--in-place holds" not in said


def test_a_motion_that_moves_nothing_is_said(tmp_path: Path) -> None:
    clips: list[Clip] = [
        ("pan", "camera", "translation", [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
        ("hold", "hips", "rotation", [TURNS[1], TURNS[1]]),
        ("nod", "head", "rotation", TURNS),
    ]
    said, drawn = made(tmp_path, clips, frames=2)
    assert "moving nothing of a" in said and "pan, hold" in said and len(drawn) == 3
    assert said.count("a shows a plain grey of 255 and nothing else") == 1


@pytest.mark.parametrize("beside", [True, False])
def test_a_file_of_motions_that_cannot_be_read_is_said_and_the_others_go_on(tmp_path: Path, beside: bool) -> None:
    (tmp_path / "hop.bvh").write_text("HIERARCHY\n")
    broken = str(tmp_path / "hop.bvh")
    nod: list[Clip] = [("nod", "head", "rotation", TURNS)]
    said, drawn = made(tmp_path, nod, motions=["own", broken] if beside else [broken])
    assert "hop.bvh has no MOTION section" in said
    assert ("no motion of hop.bvh could be played on a" in said) == (not beside)
    assert [clip.meta["clip"]["action"] for clip in drawn] == ["nod"] * beside


def test_clips_of_too_few_and_of_too_many_frames_are_said(tmp_path: Path) -> None:
    nod: list[Clip] = [("nod", "head", "rotation", TURNS)]
    said, _ = made(tmp_path / "few", nod, fps=0.5)
    assert "no longer than a frame at --fps 0.5, so that a clip is one frame: nod" in said
    said, _ = made(tmp_path / "one", nod, fps=0.5, frames=1)
    assert "no longer than" not in said
    write_scene(tmp_path / "many/a.glb", [("nod", "head", "rotation", TURNS * 75)])
    config = clips_config(tmp_path / "many", recipes=["frames"], turntable=False, views=1, fps=240.0)
    _, summary = run_clips(tmp_path / "out", replace(config, size=512, memory="512 MB"))
    (failure,) = summary.failures
    assert ": its 35,760 frames are many: fewer --fps or --frames, or raise --memory" in failure.reason
