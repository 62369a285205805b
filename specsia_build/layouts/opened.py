"""The characters and clips of a packed dataset, to be written in another layout."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from specsia_build import __version__, png
from specsia_build.dataset import schema, splits
from specsia_build.dataset.layers import frame_file
from specsia_build.dataset.pairs import splits_of
from specsia_build.dataset.places import public_name
from specsia_build.dataset.reading import OpenedDataset
from specsia_build.dataset.schema import LAYER_COLUMNS
from specsia_build.errors import SpecsiaError, UsageError, some
from specsia_build.files.digests import canonical_json, sha256
from specsia_build.layouts.layout import Layout
from specsia_build.layouts.part import Facts, Member, Part, Pictures
from specsia_build.published import rows as published
from specsia_build.published.places import yaw_of

_NO_RESULT = ("fingerprint", "shards", "planned", "quarantined", "schema_version")
"""What a dataset's build record says of its own files."""


@dataclass(frozen=True)
class OpenedMember:
    """Where the rows of a character or clip are in a dataset."""

    config: str
    split: str
    rows: Sequence[int]


@dataclass(frozen=True)
class LoadRows:
    """Loads the pictures of members from the rows of a dataset; `places` is by id and backend."""

    dataset: OpenedDataset
    places: Mapping[tuple[str, str | None], OpenedMember]
    pos_frame: str

    def __call__(self, member: Member) -> Pictures:
        dataset, place = self.dataset, self.places[member.id, member.backend]
        meta: dict[str, Any] = {"id": member.id, "character": member.character, "backend": member.backend}
        meta |= {"license": member.license, "source": member.credit, "pos_frame": self.pos_frame}
        files: dict[str, bytes] = {}
        if dataset.kind == "published":
            stored = dataset.take_stored(place.config, place.split, place.rows, dataset.columns)
            for k, row in enumerate(stored):
                try:
                    own = _published_files(row, dataset.channels)
                except ValueError as error:
                    where = f"the row {row['uid']} of {dataset.where}"
                    raise SpecsiaError(f"{where} cannot be read: {error}") from error
                files |= {frame_file(name, k): data for name, data in own.items()}
            yaws = [float(np.rad2deg(yaw_of(schema.split_uid(row["uid"])[1]))) for row in stored]
            return Pictures({**meta, "yaws": yaws}, files)
        rows = dataset.take(place.config, place.split, place.rows, dataset.columns)
        for k, row in enumerate(rows):
            images = (column for column in schema.ALL_IMAGES if column in row)
            files |= {frame_file(column, k): row[column] for column in images}
        scalars = []
        for row in rows:
            scalars.append({name: value for name, value in row.items() if name not in schema.ALL_IMAGES})
        return Pictures({**meta, "rows": scalars, "yaws": [row["yaw_deg"] for row in scalars]}, files)


def _published_files(row: Mapping[str, Any], channels: Mapping[str, int]) -> dict[str, bytes]:
    """Z, its positions in the view, their edges and Y* of a published row or view, as PNGs of our modes."""
    planes = published.planes(published.decode(row, channels))
    pos = np.dstack([planes.pos, planes.color[..., 3]])
    pictures = {schema.COLOR: planes.color, schema.POS: pos, schema.EDGE: planes.edge, schema.GT: planes.gt}
    return {name: png.encode(picture) for name, picture in pictures.items() if picture is not None}


def open_parts(
    dataset: OpenedDataset, layout: Layout, configs: Sequence[str]
) -> tuple[list[tuple[Part, str]], Facts]:
    """Parts of a layout that hold a dataset's configurations, with fingerprints, and the facts about all."""
    if dataset.kind == "published" and not layout.name.startswith("specsia-15k"):
        raise UsageError(f"{dataset.where} is in the published schema, which lacks columns of {layout.name}")
    if layout.shows != "pairs":
        problem = f"{layout.name} shows characters without reconstructions, which {dataset.where} lacks"
        raise UsageError(f"{problem}: export a run")
    places: dict[tuple[str, str | None], OpenedMember] = {}
    members = []
    for config in configs:
        for split in dataset.splits(config):
            for member, rows in _members(dataset, config, split):
                members.append(member)
                places[member.id, member.backend] = OpenedMember(config, split, rows)
    split_of = _splits(dataset)
    if lost := sorted({member.character for member in members} - split_of.keys()):
        raise SpecsiaError(f"{dataset.where}/{schema.SPLITS_FILE} lacks {some(lost)}: verify the dataset")
    options: dict[str, Any] = {"moving": dataset.moving}
    options["layers"] = [name for name in LAYER_COLUMNS if name in dataset.columns]
    pos_frame = pos_frame_of(dataset)

    def load(group: Sequence[Member]) -> LoadRows:
        return LoadRows(dataset, {(m.id, m.backend): places[m.id, m.backend] for m in group}, pos_frame)

    return layout.parts(members, split_of, options, load), _facts(dataset, members, split_of)


def pos_frame_of(dataset: OpenedDataset) -> str:
    """The frame of a dataset's positions; UsageError if it is that of an earlier version."""
    if dataset.kind == "published":
        return "view"
    frame, stages = str(dataset.settings().get("pos_frame", "character")), dataset.build().get("stages")
    if isinstance(stages, dict) and schema.has_earlier_channels(frame, stages):
        raise UsageError(f"{dataset.where} has {schema.EARLIER_CHANNELS}")
    return frame


def _members(dataset: OpenedDataset, config: str, split: str) -> list[tuple[Member, list[int]]]:
    """Members of a split, in the order of their first rows, and the numbers of their rows."""
    names = ("uid", "character_id", "backend", "license", "iou", "clip", "action")
    columns = [name for name in names if name in dataset.columns]
    groups: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for number, row in enumerate(dataset.stream(config, split, columns)):
        groups.setdefault(row.get("clip") or row["character_id"], []).append((number, row))
    digest = dataset.digest()
    members = []
    for key, rows in groups.items():
        member = member_of([row for _, row in rows], config, [digest, config, key])
        members.append((member, [number for number, _ in rows]))
    return members


def member_of(rows: Sequence[Mapping[str, Any]], config: str, content: Sequence[Any]) -> Member:
    """The member that some rows of a configuration make; `content` is all that decides its pictures."""
    first = rows[0]
    values = [row["iou"] for row in rows if row.get("iou") is not None]
    return Member(
        id=first.get("clip") or first["character_id"],
        character=first["character_id"],
        backend=first.get("backend") or config,
        rows=len(rows),
        digest=sha256(canonical_json(content).encode()),
        mean_iou=sum(values) / len(values) if values else None,
        action=first.get("action"),
        license=first.get("license"),
    )


def _splits(dataset: OpenedDataset) -> Mapping[str, str]:
    if schema.SPLITS_FILE not in dataset.files:
        return splits_of(dataset)
    return splits.parse(dataset.place.read(schema.SPLITS_FILE), f"{dataset.where}/{schema.SPLITS_FILE}")


def _facts(dataset: OpenedDataset, members: Sequence[Member], split_of: Mapping[str, str]) -> Facts:
    record, settings = dataset.build(), dataset.settings()
    build = {name: value for name, value in record.items() if name not in _NO_RESULT}
    # Without paths of this machine.
    origin = {"name": public_name(dataset.where), "digest": dataset.digest()}
    planned = record.get("planned")
    return Facts(
        build={"specsia": __version__, "config": settings, **build, "exported": origin},
        source=str(settings.get("source") or public_name(dataset.where)),
        planned=planned if isinstance(planned, int) else len({member.character for member in members}),
        quarantined={},
        splits=split_of,
        members=members,
        backend=some(sorted({member.backend or "" for member in members})),
    )
