"""Stage 4, pack: rows from artefacts, in splits and shards, with the card and the checksums.

The frozen order of the ids alone decides the layout, so that a dataset that has grown has the bytes of one that was
packed at once. Shards that are there already are kept.
"""

from __future__ import annotations

import json
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from specsia_build import __version__
from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig
from specsia_build.dataset import exchange, schema, splits
from specsia_build.dataset.card import CardFacts, data_sizes, write_card
from specsia_build.dataset.checksums import parse_sums, write_checksums, write_sums
from specsia_build.dataset.parquet import plan_shards, stored_rows
from specsia_build.dataset.places import public_settings
from specsia_build.dataset.teaser import write_teaser
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import temporary_beside
from specsia_build.files.records import read_json
from specsia_build.files.writing import sync, writing
from specsia_build.stages import project, render
from specsia_build.stages.artefact import canonical_json, file_digest, sha256
from specsia_build.stages.rows import Made, MakeShards, Member, ShardTask
from specsia_build.stages.stage import CharacterStage, Stage

STAGE = Stage("pack", 4, earlier=(render.STAGE, project.STAGE))

BYTES_PACKAGES = ("isal", "llvmlite", "numba", "numpy", "pillow", "pyarrow", "datasets", "scipy", "scikit-image")
"""Packages whose version may change a dataset's bytes."""

_RECORDS = (schema.BUILD_FILE, schema.SPLITS_FILE, schema.CHECKSUMS_FILE)
"""Small files of a dataset that only programs write."""

_UNREADABLE = (OSError, SpecsiaError, ValueError, KeyError, TypeError, AttributeError)
"""What reading a dataset may raise that is damaged, of another version or not there."""


@dataclass(frozen=True)
class PackPlan:
    """What is to be packed.

    Attributes:
        config: of the build.
        source: name of the source, free of paths.
        planned: characters asked for.
        splits: split of each id of the source; rows stand in the order of its keys.
        members: per backend name the characters that are built.
        quarantined: characters left out per backend, `""` for those that no backend saw.
        sees_ground_truth: backends that do.
        reads: the stages whose artefacts hold the pictures.
    """

    config: BuildConfig
    source: str
    planned: int
    splits: Mapping[str, str]
    members: Mapping[str, Sequence[Member]]
    quarantined: Mapping[str, int]
    sees_ground_truth: Sequence[str]
    reads: Sequence[CharacterStage] = STAGE.earlier

    @property
    def columns(self) -> Sequence[str]:
        """Of the dataset."""
        return schema.COLUMNS if self.config.clips is None else schema.MOVING_COLUMNS


@dataclass(frozen=True)
class _Shard:
    """One shard as planned: its name relative to the dataset, its configuration, and what it is to hold."""

    name: str
    config_name: str
    backend: str
    members: Sequence[Member]

    @property
    def bytes(self) -> int:
        """Of its images, which are nearly all of it."""
        return sum(member.image_bytes for member in self.members)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over all that decides the shard's bytes."""
        parts = [STAGE.name, STAGE.version, schema.SCHEMA_VERSION, version("pyarrow"), version("datasets")]
        return sha256(canonical_json([*parts, *(member.digest for member in self.members)]).encode())


def _build_record(plan: PackPlan) -> dict[str, Any]:
    before = dict.fromkeys(one for stage in plan.reads for one in (*stage.rests_on, stage))
    made = made_with(public_settings(plan.config, plan.source), (*before, STAGE))
    return {
        "specsia": made.pop("specsia"),
        "schema_version": schema.SCHEMA_VERSION,
        **made,
        "planned": plan.planned,
        "quarantined": dict(plan.quarantined),
    }


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
    """SHA-256 over all that decides the packed bytes: of the `canonical_json` of members, record and splits."""
    members = {backend: [one.values for one in found] for backend, found in plan.members.items()}
    what = {"members": members, "record": _build_record(plan), "splits": splits.to_json(plan.splits)}
    return sha256(canonical_json(what).encode())


def _plan(plan: PackPlan) -> list[_Shard]:
    """The shards of a dataset in their order."""
    several = len(plan.members) > 1
    shards = []
    for backend, members in plan.members.items():
        by_character: dict[str, list[Member]] = {}
        for one in members:
            by_character.setdefault(one.character, []).append(one)
        for split in schema.SPLITS:
            ids = [i for i, found in plan.splits.items() if found == split]
            chosen = [one for i in ids for one in by_character.get(i, ())]
            if not chosen:
                continue
            parts = plan_shards([one.id for one in chosen], [one.image_bytes for one in chosen])
            for index, part in enumerate(parts):
                name = f"{schema.data_folder(backend, several)}/{schema.shard_name(split, index, len(parts))}"
                shards.append(_Shard(name, backend if several else schema.DEFAULT_CONFIG, backend, chosen[part]))
    return shards


def _kept(folder: Path) -> dict[str, tuple[Path, str]]:
    """Path and listed SHA-256 of the shards of a dataset that is there, by their fingerprints."""
    try:
        listed = read_json(folder / schema.BUILD_FILE)["shards"]
        sums, _ = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
        return {mark: (folder / name, sums[name]) for name, mark in listed.items() if name in sums}
    except _UNREADABLE:
        return {}


def _tasks(shards: Sequence[_Shard], plan: PackPlan, old: Path, new: Path) -> list[ShardTask]:
    """What is to be made in a new folder, where the dataset that is there lies in an old one."""
    known, table = _kept(old), schema.arrow_schema(plan.columns)
    tasks = []
    for shard in shards:
        found, members = known.get(shard.fingerprint), tuple(one.id for one in shard.members)
        tasks.append(ShardTask(new / shard.name, shard.backend, members, shard.bytes, table, found))
    return tasks


def _card_facts(plan: PackPlan, record: Mapping[str, Any]) -> CardFacts:
    def by_split(members: Sequence[Member], count: Callable[[Sequence[Member]], int]) -> dict[str, int]:
        parts = {split: [one for one in members if plan.splits[one.character] == split] for split in schema.SPLITS}
        return {split: count(found) for split, found in parts.items() if found}

    def count_rows(members: Sequence[Member]) -> int:
        return sum(one.rows for one in members)

    def count_characters(members: Sequence[Member]) -> int:
        return len({one.character for one in members})

    packed = {one.character: one for members in plan.members.values() for one in members}
    moving = {one.id: one for members in plan.members.values() for one in members if one.action is not None}
    return CardFacts(
        source=plan.source,
        planned=plan.planned,
        rows={backend: by_split(members, count_rows) for backend, members in plan.members.items()},
        characters={backend: by_split(members, count_characters) for backend, members in plan.members.items()},
        quality={b: [one.mean_iou for one in members] for b, members in plan.members.items()},
        frontal_before={
            b: [one.frontal_before for one in members if one.frontal_before is not None]
            for b, members in plan.members.items()
        },
        licenses=[(packed[i].license, packed[i].credit) for i in sorted(packed, key=id_order_key)],
        quarantined=plan.quarantined,
        sees_ground_truth=plan.sees_ground_truth,
        build=record,
        clips={b: Counter(plan.splits[one.character] for one in members) for b, members in plan.members.items()},
        actions=Counter(one.action for one in moving.values() if one.action is not None),
    )


@dataclass(frozen=True)
class Packed:
    """What pack did.

    Attributes:
        rows: of the dataset.
        written: shards.
        kept: shards that were there already.
        foreign: names of what lay in the dataset's folder without being of the dataset, and lies there still.
    """

    rows: int
    written: int
    kept: int
    foreign: Sequence[str] = ()


def _in_order(made: Iterable[tuple[int, Made]]) -> Iterator[Made]:
    """What was made in the order of the numbers; what ends before its turn waits."""
    waiting: dict[int, Made] = {}
    turn = 0
    for number, one in made:
        waiting[number] = one
        while turn in waiting:
            yield waiting.pop(turn)
            turn += 1


def pack(plan: PackPlan, make: MakeShards, folder: Path) -> Packed:
    """Write the dataset into `folder`, replacing what is there only once all of it is written.

    Args:
        plan: what to pack.
        make: makes its shards.
        folder: of the dataset; shards that are there and would not change are kept as they are.

    Raises:
        WriteError: if the dataset cannot be written.
        SpecsiaError: as `make` raises it.
    """
    # Where a link stands for the folder, what replaces it must lie beside what that names.
    folder = folder.resolve()
    partial = temporary_beside(folder)
    done: dict[str, tuple[str, bool]] = {}
    with writing(folder), ExitStack() as stack:
        # What goes wrong takes no room away.
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        exchange.recover(folder)
        shards = _plan(plan)
        for parent in {(partial / shard.name).parent for shard in shards}:
            parent.mkdir(parents=True)

        def images(found: Iterable[tuple[int, Made]]) -> Iterator[tuple[str, str, str, str]]:
            for shard, made in zip(shards, _in_order(found), strict=True):
                done[shard.name] = made.digest, made.kept
                for uid, digests in made.images:
                    for place, column in enumerate(schema.IMAGE_COLUMNS):
                        yield shard.config_name, uid, column, digests[32 * place : 32 * place + 32].hex()

        # Nobody is to write there any more where the folder is given up.
        with closing(make(_tasks(shards, plan, folder, partial))) as found:
            write_checksums(partial, images(found))
        record = _build_record(plan)
        record |= {"fingerprint": plan_fingerprint(plan), "shards": {shard.name: shard.fingerprint for shard in shards}}
        facts = _card_facts(plan, record)
        write_teaser(partial, [shard.config_name for shard in shards])
        facts = replace(facts, sizes=data_sizes(partial, facts.rows))
        (partial / schema.CARD).write_text(write_card(facts), encoding="utf-8")
        (partial / schema.SPLITS_FILE).write_text(splits.to_json(plan.splits), encoding="utf-8")
        text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True)
        (partial / schema.BUILD_FILE).write_text(text + "\n", encoding="utf-8")
        write_sums(partial, {name: digest for name, (digest, _) in done.items()})
        sync(partial)
        foreign = exchange.put(partial, folder)
    rows = sum(one.rows for shard in shards for one in shard.members)
    kept = sum(kept for _, kept in done.values())
    return Packed(rows, len(shards) - kept, kept, foreign)


def packed_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the dataset that is there, or None.

    A dataset that lacks one of its files is not there, nor is one with a shard that is cut off, or another file that is
    not as it was written; of the card, which people edit, something must be left.
    """
    try:
        exchange.recover(folder)
        record = read_json(folder / schema.BUILD_FILE)
        found, shards = record["fingerprint"], set(record["shards"])
        listed, unusable = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
    except _UNREADABLE:
        return None
    whole = not unusable and {schema.CARD, *_RECORDS, *shards} <= listed.keys()
    whole = whole and all(_looks_whole(folder / name, digest, name in shards) for name, digest in listed.items())
    return found if isinstance(found, str) and whole else None


def _looks_whole(path: Path, digest: str, is_shard: bool) -> bool:
    """Whether a file of a dataset is as it was written, as far as a look tells: shards are too large to be read."""
    if not path.is_file():
        return False
    if path.name == schema.CARD:
        return path.stat().st_size > 0
    if not is_shard:
        return file_digest(path) == digest
    return stored_rows(path) is not None
