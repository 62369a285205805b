"""Moving reconstructions, and motions that are far away, still, long or broken."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.layer_measures import first_hits
from specsia_build import png
from specsia_build.characters.sources import open_source
from specsia_build.dataset.layers import POS, frame_file
from specsia_build.frame import ON_CHARACTER, position_codes
from specsia_build.pipeline.store import read_artefact, read_meta
from specsia_build.stages.clips import draw
from specsia_build.stages.clips.actor import actor_of, shot_again
from specsia_build.stages.stage import Clip, Job
from tests.characters.gltf.writer import GltfWriter
from tests.clips import add_motion, clips_config, run_clips, write_figure
from tests.dataset.small import read_rows
from tests.shapes import BOX, PARTS, TRIANGLES


def test_rest_other_than_bind_pose(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    for name, bent in (("plain", 0.0), ("bent", 0.6)):
        write_figure(tmp_path / "figures" / f"{name}.glb", 1, bent=bent)
    paths, _ = run_clips(tmp_path / "out", clips_config(tmp_path / "figures", views=1))
    shards = paths.dataset.rglob("data/*.parquet")
    rows = [row for path in shards for row in read_rows(path) if row["action"] == "sway"]
    for name, least in (("plain", 0.85), ("bent", 0.7)):
        assert np.mean([row["iou"] for row in rows if row["character_id"] == name]) > least
    drawn = [read_meta(path) for path in paths.artefact(draw.DRAW, None, "plain-sway-00").parent.iterdir()]
    loops = {meta["clip"]["action"]: meta["loops"] for meta in drawn if meta is not None}
    assert loops == {"sway": True, "turntable": True, "walk": False}


POINTS = 1000


def test_surface_keeps_its_colour(tmp_path: Path) -> None:
    said = {"layouts": ["frames"], "motions": ["jump"], "turntable": False, "views": 1, "frames": 4}
    stated = clips_config(Path("sample:1"), **said)
    config = replace(stated, size=512)
    paths, _ = run_clips(tmp_path / "out", config)
    (entry,) = open_source("sample:1", tmp_path / "samples").entries
    clip_id = f"{entry.id}-jump-00"
    drawn = read_artefact(paths.artefact(draw.DRAW, None, clip_id), clip_id)
    actor = actor_of(Job(entry=entry, config=config))
    shot = shot_again(Clip(**drawn.meta["clip"]), actor, config, drawn.meta["width"], drawn.meta["shift"])
    rest, faces = actor.mesh.vertices.astype(np.float64), actor.mesh.faces
    gain, offset = position_codes(*drawn.meta["box"])
    codes = rest[:, list(ON_CHARACTER.axes)] * gain + offset

    sides = rest[faces[:, 1:]] - rest[faces[:, :1]]
    areas = np.linalg.norm(np.cross(sides[:, 0], sides[:, 1]), axis=1)
    random = np.random.default_rng(0)
    face = random.choice(len(faces), POINTS, p=areas / areas.sum())
    weights = random.dirichlet(np.ones(3), POINTS)
    true = (weights[..., None] * codes[faces[face]]).sum(axis=1)
    times_seen = np.zeros(POINTS, np.int64)
    for k, camera in enumerate(shot.cameras):
        picture = png.decode(drawn.files[frame_file(POS, k)], 4)
        places = camera.project(actor.rig.vertices(shot.poses, k) + shot.shifts[k])
        points = (weights[..., None] * places[faces[face]]).sum(axis=1)
        column, row = np.floor(points[:, :2]).astype(np.int64).T
        hit, at, _ = first_hits(np.stack([column, row], axis=1) + 0.5, places, faces)
        # Where another face is at the pixel's centre, or the background shares it, the pixel shows another
        # point.
        seen = (hit == face) & (picture[row, column, 3] == 255)
        aside = (true - (at[..., None] * codes[faces[hit]]).sum(axis=1))[seen]
        # A centre on an edge, to a 256th of a pixel, may show its other side.
        assert (
            np.quantile(np.abs(picture[row, column, :3][seen] + aside - true[seen]).max(axis=1), 0.99) <= 1.0
        )
        times_seen += seen
    assert (times_seen > 1).sum() > POINTS / 8


FAR = 20.0
TURNS = [[0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.0, 0.866]]

Moves = tuple[str, str, str, list[Any]]
"""Name, node, path, and values a second apart."""


def write_scene(path: Path, clips: list[Moves], *, under: bool = False) -> Path:
    """A figure below ``hips``, a stone of one side beside it, and a camera; `under` hangs all of them on one
    node."""
    writer = GltfWriter()
    nodes = {}
    for name, (centre, size, _) in {**PARTS, "stone": ((0.7, 0.1, 0.0), (0.1, 0.1, 0.1), None)}.items():
        part = writer.primitive(BOX * np.array(size), TRIANGLES[: 6 if name == "stone" else None])
        nodes[name] = writer.mesh_node(part, name=name, translation=[float(c) for c in centre])
    children = [node for name, node in nodes.items() if name != "stone"]
    nodes["hips"] = writer.add("nodes", name="hips", children=children)
    nodes["camera"] = writer.add("nodes", name="camera")
    roots = [nodes["stone"], nodes["hips"], nodes["camera"]]
    writer.data["scenes"] = [
        {"nodes": [writer.add("nodes", name="scene", children=roots)] if under else roots}
    ]
    writer.data["scene"] = 0
    for name, node, way, values in clips:
        add_motion(writer, name, nodes[node], way, range(len(values)), values)
    path.parent.mkdir(parents=True, exist_ok=True)
    return writer.write_glb(path)


def made(folder: Path, clips: list[Moves], *, under: bool = False, **settings: Any) -> tuple[str, list[Any]]:
    """What is said of the clips of a scene, and the artefacts of those that were drawn."""
    write_scene(folder / "figures/a.glb", clips, under=under)
    config = clips_config(folder / "figures", layouts=["frames"], turntable=False, views=1, **settings)
    paths, summary = run_clips(folder / "out", config)
    drawn = paths.artefact(draw.DRAW, None, "a-x-00").parent
    return " ".join(map(str, summary.warnings.get("a", ()))), [
        read_artefact(path, path.stem) for path in sorted(drawn.glob("*.tar"))
    ]


@pytest.mark.parametrize("under", [False, True])
def test_figure_stays_in_place(tmp_path: Path, under: bool) -> None:
    way = [[0.0, 0.0, 0.0], [FAR, 0.0, 0.0]]
    said, (clip,) = made(tmp_path, [("go", "hips", "translation", way)], under=under, in_place=True)
    masks = [png.decode(data, 1) > 0 for name, data in clip.files.items() if name.startswith("mask")]
    assert np.logical_and.reduce(masks).sum() > 0.7 * max(mask.sum() for mask in masks)
    assert "shorten it" in said and "--in-place keeps" not in said


def test_empty_motion_warns(tmp_path: Path) -> None:
    clips: list[Moves] = [
        ("pan", "camera", "translation", [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]),
        ("hold", "hips", "rotation", [TURNS[1], TURNS[1]]),
        ("nod", "head", "rotation", TURNS),
    ]
    said, drawn = made(tmp_path, clips, frames=2)
    assert "that move nothing of a" in said and "pan, hold" in said and len(drawn) == 3
    assert said.count("a shows nothing but a plain grey of 255") == 1


@pytest.mark.parametrize("beside", [True, False])
def test_unreadable_motions_cost_themselves(tmp_path: Path, beside: bool) -> None:
    (tmp_path / "hop.bvh").write_text("HIERARCHY\n")
    broken = str(tmp_path / "hop.bvh")
    nod: list[Moves] = [("nod", "head", "rotation", TURNS)]
    said, drawn = made(tmp_path, nod, motions=["own", broken] if beside else [broken])
    assert "hop.bvh has no MOTION section" in said
    assert ("no motion of hop.bvh" in said) == (not beside)
    assert [clip.meta["clip"]["action"] for clip in drawn] == ["nod"] * beside


def test_too_few_and_too_many_frames(tmp_path: Path) -> None:
    nod: list[Moves] = [("nod", "head", "rotation", TURNS)]
    said, _ = made(tmp_path / "few", nod, fps=0.5)
    assert "give clips of one frame: nod" in said
    said, _ = made(tmp_path / "one", nod, fps=0.5, frames=1)
    assert "shorter than" not in said
    write_scene(tmp_path / "many/a.glb", [("nod", "head", "rotation", TURNS * 75)])
    config = clips_config(tmp_path / "many", layouts=["frames"], turntable=False, views=1, fps=240.0)
    _, summary = run_clips(tmp_path / "out", replace(config, size=512, memory="512 MB"))
    (failure,) = summary.failures
    assert "its 35,760 frames are many" in failure.reason
