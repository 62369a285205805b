"""Stage 4, pack: rows from artefacts, in splits and shards, with the card and the checksums.

The frozen order of the ids alone decides the layout, so that a dataset that has grown has the bytes of one that was
packed at once. Shards that already exist are kept.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from specsia_build import __version__
from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig, backend_name, result_settings
from specsia_build.dataset import exchange, schema, splits
from specsia_build.dataset.card import CardFacts, write_card, write_teaser
from specsia_build.dataset.checksums import parse_sums, write_checksums, write_sums
from specsia_build.dataset.parquet import plan_shards, stored_rows
from specsia_build.dataset.places import public_name
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import temporary_beside
from specsia_build.files.records import read_json
from specsia_build.files.writing import sync, writing
from specsia_build.stages import project, render
from specsia_build.stages.rows import MakeShards, Member, ShardTask, row_facts
from specsia_build.stages.stage import CharacterStage, EarlierMeta, Stage, canonical_json, file_digest, sha256

STAGE = Stage("pack", 4, earlier=(render.STAGE, project.STAGE))

BYTES_PACKAGES = ("isal", "llvmlite", "numba", "numpy", "pillow", "pyarrow", "datasets", "scipy", "scikit-image")
"""Packages whose version may change a dataset's bytes."""

_RECORDS = (schema.BUILD_FILE, schema.SPLITS_FILE, schema.CHECKSUMS_FILE)
"""Small files of a dataset that only programs write."""

_UNREADABLE = (OSError, SpecsiaError, ValueError, KeyError, TypeError, AttributeError)
"""Errors of reading a dataset that is damaged, of another version or missing."""


@dataclass(frozen=True)
class PackPlan:
    """A dataset to be packed.

    Attributes:
        source: name of the source, free of paths.
        planned: how many characters were asked for.
        splits: split of each id of the source; rows are in the order of its keys.
        members: characters or clips that are built, by backend.
        quarantined: characters left out by backend, `""` for those that no backend saw.
        sees_ground_truth: backends that do.
        metas: gives the meta data of the artefacts that pack reads, by id of a member and backend name.
        reads: the stages whose artefacts hold the pictures.
    """

    config: BuildConfig
    source: str
    planned: int
    splits: Mapping[str, str]
    members: Mapping[str, Sequence[Member]]
    quarantined: Mapping[str, int]
    sees_ground_truth: Sequence[str]
    metas: Callable[[str, str], EarlierMeta]
    reads: Sequence[CharacterStage] = STAGE.earlier


@dataclass(frozen=True)
class _Planned:
    """A planned shard: its name relative to the dataset, its configuration and its content."""

    name: str
    config_name: str
    backend: str
    members: Sequence[Member]

    @property
    def fingerprint(self) -> str:
        parts = [STAGE.name, STAGE.version, schema.SCHEMA_VERSION, version("pyarrow"), version("datasets")]
        return sha256(canonical_json([*parts, *(member.digest for member in self.members)]).encode())

    def task(self, folder: Path, columns: Sequence[str], old: tuple[Path, str] | None) -> ShardTask:
        """The shard to be made in a folder, or kept from an `old` file with its SHA-256."""
        size = sum(member.image_bytes for member in self.members)
        ids = tuple(member.id for member in self.members)
        return ShardTask(folder / self.name, self.backend, ids, size, schema.arrow_schema(columns), old)


def public_settings(config: BuildConfig, source: str) -> dict[str, Any]:
    """The settings that decide what is built, without paths of this machine; `source` names its source."""
    settings = {**result_settings(config), "source": source, "backends": [backend_name(b) for b in config.backends]}
    like = settings.pop("like")
    if like is not None:
        settings["like"] = public_name(like)
    if config.clips is not None:
        settings["clips"]["motions"] = [PurePath(origin).name for origin in config.clips.motions]
    return settings


def _build_record(plan: PackPlan) -> dict[str, Any]:
    before = dict.fromkeys(one for stage in plan.reads for one in (*stage.rests_on, stage))
    settings = public_settings(plan.config, plan.source)
    counts = {"planned": plan.planned, "quarantined": dict(plan.quarantined)}
    return {**made_with(settings, (*before, STAGE)), "schema_version": schema.SCHEMA_VERSION, **counts}


def made_with(config: Mapping[str, Any], stages: Sequence[Stage]) -> dict[str, Any]:
    """Settings, and all versions that decide what stages make of them."""
    return {
        "specsia": __version__,
        "config": config,
        "stages": {stage.name: stage.version for stage in stages},
        "packages": {name: version(name) for name in BYTES_PACKAGES},
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def plan_fingerprint(plan: PackPlan) -> str:
    """SHA-256 over all that decides the packed bytes: the `canonical_json` of members, record and splits."""
    members = {backend: [member.values for member in members] for backend, members in plan.members.items()}
    what = {"members": members, "record": _build_record(plan), "splits": splits.to_json(plan.splits)}
    return sha256(canonical_json(what).encode())


def _plan(plan: PackPlan) -> list[_Planned]:
    several = len(plan.members) > 1
    shards = []
    for backend, members in plan.members.items():
        by_character: dict[str, list[Member]] = {}
        for member in members:
            by_character.setdefault(member.character, []).append(member)
        for split in schema.SPLITS:
            ids = (i for i, its_split in plan.splits.items() if its_split == split)
            chosen = [member for i in ids for member in by_character.get(i, ())]
            parts = plan_shards([one.id for one in chosen], [one.image_bytes for one in chosen]) if chosen else []
            for index, part in enumerate(parts):
                name = f"{schema.data_folder(backend, several)}/{schema.shard_name(split, index, len(parts))}"
                shards.append(_Planned(name, backend if several else schema.DEFAULT_CONFIG, backend, chosen[part]))
    return shards


def _existing(folder: Path) -> dict[str, tuple[Path, str]]:
    """Path and listed SHA-256 of the shards of an existing dataset, by their fingerprints."""
    try:
        listed = read_json(folder / schema.BUILD_FILE)["shards"]
        sums, _ = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
        return {mark: (folder / name, sums[name]) for name, mark in listed.items() if name in sums}
    except _UNREADABLE:
        return {}


def _card_facts(plan: PackPlan, record: Mapping[str, Any]) -> CardFacts:
    def by_split(count: Callable[[Sequence[Member]], int]) -> dict[str, dict[str, int]]:
        """Counts by backend and split, without splits that are empty."""
        counts: dict[str, dict[str, int]] = {}
        for backend, members in plan.members.items():
            parts = {split: [one for one in members if plan.splits[one.character] == split] for split in schema.SPLITS}
            counts[backend] = {split: count(part) for split, part in parts.items() if part}
        return counts

    def values(name: str) -> dict[str, list[float]]:
        values = {backend: [getattr(one, name) for one in members] for backend, members in plan.members.items()}
        return {backend: [value for value in found if value is not None] for backend, found in values.items()}

    every = [member for members in plan.members.values() for member in members]
    packed, clips = {one.character: one for one in every}, {one.id: one.action for one in every}
    return CardFacts(
        source=plan.source,
        planned=plan.planned,
        rows=by_split(lambda members: sum(one.rows for one in members)),
        characters=by_split(lambda members: len({one.character for one in members})),
        quality=values("mean_iou"),
        frontal_before=values("frontal_before"),
        licenses=[(packed[i].license, packed[i].credit) for i in sorted(packed, key=id_order_key)],
        quarantined=plan.quarantined,
        sees_ground_truth=plan.sees_ground_truth,
        build=record,
        clips={b: Counter(plan.splits[one.character] for one in members) for b, members in plan.members.items()},
        actions=Counter(action for action in clips.values() if action is not None),
    )


class Packed(NamedTuple):
    """Shards written now and left as they were, and names of foreign files in the dataset's folder, which stay."""

    written: int
    kept: int
    foreign: Sequence[str] = ()


def _image_digests(plan: PackPlan, shards: Sequence[_Planned]) -> Iterator[tuple[str, str, str, str]]:
    """Configuration, uid, column and SHA-256 of every image, in the order of the rows."""
    for shard in shards:
        for one in shard.members:
            for scalars, origin in row_facts(one.id, shard.backend, plan.metas(one.id, shard.backend)):
                for column in schema.IMAGE_COLUMNS:
                    yield shard.config_name, scalars["uid"], column, origin[column][2]


def pack(plan: PackPlan, make: MakeShards, folder: Path) -> Packed:
    """Write the dataset into `folder`, replacing an earlier one only once all of it is written.

    Shards that would not change are kept. Raises WriteError if it cannot be written, and SpecsiaError as `make` does.
    """
    # Where a link stands for the folder, what replaces it must lie beside what that names.
    folder = folder.resolve()
    partial = temporary_beside(folder)
    with writing(folder), ExitStack() as stack:
        # What goes wrong takes no room away.
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        exchange.recover(folder)
        planned, existing = _plan(plan), _existing(folder)
        for parent in {(partial / one.name).parent for one in planned}:
            parent.mkdir(parents=True)

        columns = schema.COLUMNS if plan.config.clips is None else schema.MOVING_COLUMNS
        tasks = [one.task(partial, columns, existing.get(one.fingerprint)) for one in planned]
        # Nobody is to write there any more where the folder is given up.
        with closing(make(tasks)) as shards:
            done = {planned[number].name: shard for number, shard in shards}
        write_checksums(partial, _image_digests(plan, planned))
        record = _build_record(plan)
        record |= {"fingerprint": plan_fingerprint(plan), "shards": {one.name: one.fingerprint for one in planned}}
        facts = _card_facts(plan, record)
        write_teaser(partial, [one.config_name for one in planned])
        facts = replace(facts, folder=partial)
        (partial / schema.CARD).write_text(write_card(facts), encoding="utf-8")
        (partial / schema.SPLITS_FILE).write_text(splits.to_json(plan.splits), encoding="utf-8")
        text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True)
        (partial / schema.BUILD_FILE).write_text(text + "\n", encoding="utf-8")
        write_sums(partial, {name: shard.digest for name, shard in done.items()})
        sync(partial)
        foreign = exchange.put(partial, folder)
    kept = sum(shard.kept for shard in done.values())
    return Packed(len(planned) - kept, kept, foreign)


def packed_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the dataset on disk, or None.

    None if a file is missing, a shard is cut off, or another file is not as it was written; the card, which people
    edit, may have any content but none.
    """
    try:
        exchange.recover(folder)
        record = read_json(folder / schema.BUILD_FILE)
        mark, shards = record["fingerprint"], set(record["shards"])
        listed, unusable = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
    except _UNREADABLE:
        return None
    whole = not unusable and {schema.CARD, *_RECORDS, *shards} <= listed.keys()
    whole = whole and all(_looks_whole(folder / name, digest, name in shards) for name, digest in listed.items())
    return mark if isinstance(mark, str) and whole else None


def _looks_whole(path: Path, digest: str, is_shard: bool) -> bool:
    """Whether a file of a dataset is as it was written, as far as a look tells: shards are too large to be read."""
    if not path.is_file():
        return False
    if path.name == schema.CARD:
        return path.stat().st_size > 0
    if not is_shard:
        return file_digest(path) == digest
    return stored_rows(path) is not None
