"""Small datasets made by the real stages, and ways to plant faults in them."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import trimesh
from numpy.typing import NDArray
from PIL import Image

from specsia_build import png
from specsia_build.characters.character import Entry
from specsia_build.characters.read import read_character
from specsia_build.config import PAIRS, BuildConfig, PosFrame
from specsia_build.dataset import schema, splits
from specsia_build.dataset.verify.report import Report
from specsia_build.layouts.part import Facts, Member, Pictures
from specsia_build.rendering.mesh import Mesh
from specsia_build.stages import pack, project, reconstruct, render
from specsia_build.stages.members import member, pictures
from specsia_build.stages.reconstruct import mesh_to_files
from specsia_build.stages.stage import Artefact, Earlier, Job, seal
from tests.artefacts import pack_pairs
from tests.checksums import write_sums

StoredRow = dict[str, Any]  # A row as pyarrow gives it: an image is a dict of `bytes` and `path`

SIZE, VIEWS = 96, 4


def write_character(path: Path, number: int) -> Entry:
    """A figure of boxes and balls, no two alike and none symmetric, as PLY in our frame."""
    rng = np.random.default_rng(number)
    parts = [
        (trimesh.creation.box((0.5, 0.3, 0.7 + 0.05 * (number % 5))), (0.0, 0.0, 0.0)),
        (trimesh.creation.icosphere(subdivisions=2, radius=0.26), (0.02, -0.03, 0.62)),
        (trimesh.creation.box((0.5, 0.15, 0.15)), (0.45, 0.0, 0.2)),
        (trimesh.creation.box((0.3, 0.18, 0.2)), (-0.35, 0.05, 0.15)),
        (trimesh.creation.icosphere(subdivisions=1, radius=0.1), (0.05, -0.25, 0.6)),
    ]
    for mesh, centre in parts:
        mesh.apply_translation(centre)
        mesh.visual.vertex_colors = np.append(rng.integers(20, 255, 3), 255).astype(np.uint8)
    trimesh.util.concatenate([mesh for mesh, _ in parts]).export(str(path))
    return Entry(path.stem, "ply", path, license="CC0-1.0", source="made for a test")


def _reconstruction(entry: Entry, config: BuildConfig, backend: str) -> Artefact:
    """The character, but thicker or thinner the higher up."""
    mesh = render.in_frame(read_character(entry), config)[0]
    swell = {"fat": 0.15, "thin": -0.2, "exact": 0.0}[backend]
    points = mesh.vertices * (1 + swell * (0.5 + mesh.vertices[:, 2:]) * np.array([1, 1, 0]))
    changed: Mesh = mesh.with_vertices(points.astype(np.float32))
    meta = {"id": entry.id, "backend": backend, "needs_yaw": False, "sees_ground_truth": True}
    return Artefact(entry.id, mesh_to_files(changed), meta | {"warnings": [], "reading": None})


def build_small(
    folder: Path,
    ids: Sequence[str],
    *,
    backends: Sequence[str] = ("fat",),
    planned: Sequence[str] = (),
    fixed: Mapping[str, str] | None = None,
    views: int = VIEWS,
    size: int = SIZE,
    pos_frame: PosFrame = "character",
    outline: str = "random",
    write: Callable[[Path, int], Entry] = write_character,
) -> Path:
    """Render, deform, project and pack characters into `folder`.

    Args:
        folder: of the dataset; its parent holds the meshes.
        ids: of the characters.
        backends: `fat`, `thin` or `exact`.
        planned: ids that take part in the splits but were quarantined.
        fixed: splits that a manifest states.
        views, size, pos_frame, outline: of the configuration.
        write: makes the mesh file of a number.
    """
    settings: dict[str, Any] = {"views": views, "size": size, "pos_frame": pos_frame, "outline": outline}
    config = BuildConfig(source="boxes", backends=tuple(backends), min_iou=0, **settings)
    meshes = folder.parent / f"{folder.name}-meshes"
    meshes.mkdir(parents=True)
    rendered: dict[str, Artefact] = {}
    projected: dict[str, dict[str, Artefact]] = {name: {} for name in backends}
    for number, character_id in enumerate(ids):
        entry = write(meshes / f"{character_id}.ply", number)
        job = Job(entry, config)
        made, _ = render.render(job, {})
        rendered[character_id] = seal(made, render.RENDER.name, f"r{character_id}", {})
        for name in backends:
            guess = _reconstruction(entry, config, name)
            found, _ = project.project(job, {render.RENDER: made, reconstruct.RECONSTRUCT: guess})
            projected[name][character_id] = seal(found, project.PROJECT.name, f"p{character_id}{name}", {})

    def earlier(character_id: str, backend: str) -> Earlier:
        return {render.RENDER: rendered[character_id], project.PROJECT: projected[backend][character_id]}

    def summary(character_id: str, backend: str) -> Member:
        metas = {stage: made.meta for stage, made in earlier(character_id, backend).items()}
        return member(character_id, backend, metas)

    def load(packed: Member) -> Pictures:
        return pictures(packed.id, packed.backend, earlier(packed.id, packed.backend or ""))

    facts = Facts(
        build=pack.build_record(config, "boxes", PAIRS, pack.PACK.earlier),
        source="boxes",
        planned=len(ids) + len(planned),
        quarantined={"": len(planned)} if planned else {},
        splits=splits.assign([*ids, *planned], fixed or {}),
        members=[summary(i, name) for name in backends for i in projected[name]],
        sees_ground_truth=list(backends),
    )
    pack_pairs(facts, load, folder)
    return folder


def shard(folder: Path, split: str = "train", backend: str = "") -> Path:
    """The only shard of a split."""
    (found,) = (folder / schema.DATA / backend).glob(f"{split}-*.parquet")
    return found


def read_rows(path: Path) -> list[StoredRow]:
    rows: list[StoredRow] = pq.read_table(path).to_pylist()
    return rows


def write_rows(path: Path, rows: Sequence[StoredRow], arrow: pa.Schema | None = None) -> None:
    table = pa.Table.from_pylist(list(rows), schema=arrow or schema.arrow_schema())
    pq.write_table(table, path, row_group_size=5)


def change(
    folder: Path, how: Callable[[dict[str, StoredRow]], object], split: str = "train", backend: str = ""
) -> None:
    """Change rows in place, given by uid, and make all sums fit, so that only the content can tell."""
    rows = {row["uid"]: row for row in read_rows(shard(folder, split, backend))}
    how(rows)
    write_rows(shard(folder, split, backend), list(rows.values()))
    write_sums(folder)


def pixels(row: StoredRow, column: str) -> NDArray[np.uint8]:
    """A writable copy of an image."""
    return np.array(Image.open(io.BytesIO(row[column]["bytes"])))


def put(row: StoredRow, column: str, image: NDArray[np.uint8]) -> None:
    row[column]["bytes"] = png.encode(np.ascontiguousarray(image))


def swap(one: StoredRow, two: StoredRow, columns: Sequence[str]) -> None:
    """Exchange the images of two rows."""
    for name in columns:
        one[name]["bytes"], two[name]["bytes"] = two[name]["bytes"], one[name]["bytes"]


def failed(report: Report) -> set[str]:
    """Names of the checks that report problems."""
    return {check.name for check in report.checks if not check.passed}


def found(report: Report, check: str) -> list[tuple[str, str]]:
    """Places and messages of one check's problems."""
    return [(p.where, p.message) for p in report.problems if p.check == check]
