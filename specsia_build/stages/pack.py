"""Stage 4, pack: write artefacts as rows, in splits and shards, with the card and the checksums.

Only the frozen order of the ids decides the layout, so that a dataset packed in several builds has the same
bytes as one packed in a single build. Shards that already exist are kept.
"""

import json
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from specsia_build import __version__
from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig, backend_name, result_settings
from specsia_build.dataset import places, schema, splits
from specsia_build.dataset.card import CardFacts, write_card, write_teaser
from specsia_build.dataset.checksums import parse_sums, write_sums
from specsia_build.dataset.parquet import plan_shards, stored_rows
from specsia_build.errors import SpecsiaError
from specsia_build.files.names import temporary_beside
from specsia_build.files.records import read_json
from specsia_build.files.writing import sync, writing
from specsia_build.stages import project, render
from specsia_build.stages.rows import MakeShards, Member, ShardTask
from specsia_build.stages.stage import CharacterStage, EarlierMeta, Stage, canonical_json, file_digest, sha256

STAGE = Stage("pack", 5, earlier=(render.STAGE, project.STAGE))

BYTES_PACKAGES = (
    "isal",
    "llvmlite",
    "numba",
    "numpy",
    "pillow",
    "pyarrow",
    "datasets",
    "scipy",
    "scikit-image",
)
"""Packages whose versions may change a dataset's bytes."""

_UNREADABLE = (OSError, SpecsiaError, ValueError, KeyError, TypeError, AttributeError)
"""Errors of reading a dataset that is missing, damaged or of another version."""


@dataclass(frozen=True)
class PackPlan:
    """A dataset to pack.

    Attributes:
        source: name of the source, without paths.
        planned: number of characters requested.
        splits: split of each id of the source; rows are in the order of its keys.
        members: built characters or clips, by backend.
        quarantined: numbers of characters left out, by backend, or `""` for those that reached no backend.
        sees_ground_truth: names of backends that see the ground truth.
        metas: returns the meta data of the artefacts that pack reads, by id of a member and backend name.
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
        """Task to write the shard in a folder, or to keep an `old` file with its SHA-256."""
        size = sum(member.image_bytes for member in self.members)
        ids = tuple(member.id for member in self.members)
        return ShardTask(folder / self.name, self.backend, ids, size, schema.arrow_schema(columns), old)


def public_settings(config: BuildConfig, source: str) -> dict[str, Any]:
    """Settings that decide what is built, without paths of this machine; `source` is the source's name."""
    settings = {
        **result_settings(config),
        "source": source,
        "backends": [backend_name(b) for b in config.backends],
    }
    like = settings.pop("like")
    if like is not None:
        settings["like"] = places.public_name(like)
    if config.clips is not None:
        settings["clips"]["motions"] = [PurePath(origin).name for origin in config.clips.motions]
    return settings


def _build_record(plan: PackPlan) -> dict[str, Any]:
    stages = dict.fromkeys(s for stage in plan.reads for s in (*stage.rests_on, stage))
    settings = public_settings(plan.config, plan.source)
    counts = {"planned": plan.planned, "quarantined": dict(plan.quarantined)}
    return {**provenance(settings, (*stages, STAGE)), "schema_version": schema.SCHEMA_VERSION, **counts}


def provenance(config: Mapping[str, Any], stages: Sequence[Stage]) -> dict[str, Any]:
    """Settings, and all versions that decide what stages make from them."""
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
    content = {"members": members, "record": _build_record(plan), "splits": splits.to_json(plan.splits)}
    return sha256(canonical_json(content).encode())


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
            parts = plan_shards([m.id for m in chosen], [m.image_bytes for m in chosen]) if chosen else []
            for index, part in enumerate(parts):
                name = f"{schema.data_folder(backend, several)}/{schema.shard_name(split, index, len(parts))}"
                shards.append(
                    _Planned(name, backend if several else schema.DEFAULT_CONFIG, backend, chosen[part])
                )
    return shards


def _existing(folder: Path) -> dict[str, tuple[Path, str]]:
    """Path and listed SHA-256 of each shard of an existing dataset, by fingerprint."""
    try:
        listed = read_json(folder / schema.BUILD_FILE)["shards"]
        sums, _ = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
        return {
            fingerprint: (folder / name, sums[name]) for name, fingerprint in listed.items() if name in sums
        }
    except _UNREADABLE:
        return {}


def _card_facts(plan: PackPlan, record: Mapping[str, Any], folder: Path) -> CardFacts:
    def by_split(count: Callable[[Sequence[Member]], int]) -> dict[str, dict[str, int]]:
        """Counts by backend and split, without empty splits."""
        counts: dict[str, dict[str, int]] = {}
        for backend, members in plan.members.items():
            parts = {
                split: [m for m in members if plan.splits[m.character] == split] for split in schema.SPLITS
            }
            counts[backend] = {split: count(part) for split, part in parts.items() if part}
        return counts

    def values(name: str) -> dict[str, list[float]]:
        """Values of a field of the members, by backend, without None."""
        return {
            b: [v for m in members if (v := getattr(m, name)) is not None]
            for b, members in plan.members.items()
        }

    every = [member for members in plan.members.values() for member in members]
    packed, clips = {m.character: m for m in every}, {m.id: m.action for m in every}
    return CardFacts(
        source=plan.source,
        planned=plan.planned,
        rows=by_split(lambda members: sum(m.rows for m in members)),
        characters=by_split(lambda members: len({m.character for m in members})),
        quality=values("mean_iou"),
        frontal_before=values("frontal_before"),
        licenses=[(packed[i].license, packed[i].credit) for i in sorted(packed, key=id_order_key)],
        quarantined=plan.quarantined,
        sees_ground_truth=plan.sees_ground_truth,
        build=record,
        clips={b: Counter(plan.splits[m.character] for m in members) for b, members in plan.members.items()},
        actions=Counter(action for action in clips.values() if action is not None),
        folder=folder,
    )


class Packed(NamedTuple):
    """Numbers of shards written and kept."""

    written: int
    kept: int


def pack(plan: PackPlan, make: MakeShards, folder: Path) -> Packed:
    """Write the dataset into `folder`, replacing an earlier one once all of it is written.

    Unchanged shards are kept. Raises WriteError if it cannot be written, and SpecsiaError as `make` does or
    if the folder holds other files.
    """
    # If the folder is a link, its replacement must lie beside the link's target.
    folder = folder.resolve()
    partial = temporary_beside(folder)
    with writing(folder), ExitStack() as stack:
        # A failure leaves nothing on the disk.
        stack.callback(shutil.rmtree, partial, ignore_errors=True)
        places.recover(folder)
        places.refuse_other_files(folder)
        planned, existing = _plan(plan), _existing(folder)
        for parent in {(partial / shard.name).parent for shard in planned}:
            parent.mkdir(parents=True)

        columns = schema.COLUMNS if plan.config.clips is None else schema.MOVING_COLUMNS
        tasks = [shard.task(partial, columns, existing.get(shard.fingerprint)) for shard in planned]
        # Closed before the folder is removed, so that no worker still writes there.
        with closing(make(tasks)) as shards:
            done = {planned[number].name: shard for number, shard in shards}
        record = _build_record(plan)
        record |= {"fingerprint": plan_fingerprint(plan), "shards": {s.name: s.fingerprint for s in planned}}
        write_teaser(partial, [shard.config_name for shard in planned])
        (partial / schema.CARD).write_text(write_card(_card_facts(plan, record, partial)), encoding="utf-8")
        (partial / schema.SPLITS_FILE).write_text(splits.to_json(plan.splits), encoding="utf-8")
        text = json.dumps(record, indent=1, ensure_ascii=False, sort_keys=True)
        (partial / schema.BUILD_FILE).write_text(text + "\n", encoding="utf-8")
        write_sums(partial, {name: shard.digest for name, shard in done.items()})
        sync(partial)
        places.put(partial, folder)
    kept = sum(shard.kept for shard in done.values())
    return Packed(len(planned) - kept, kept)


def packed_fingerprint(folder: Path) -> str | None:
    """Fingerprint of the dataset on disk; None if a file is missing, a shard cut off, or another file
    altered.

    The card, which people edit, may have any content but must not be empty.
    """
    try:
        places.recover(folder)
        record = read_json(folder / schema.BUILD_FILE)
        fingerprint, shards = record["fingerprint"], set(record["shards"])
        listed, unusable = parse_sums((folder / schema.SUMS_FILE).read_text(encoding="utf-8"))
    except _UNREADABLE:
        return None
    whole = not unusable and {schema.CARD, schema.BUILD_FILE, schema.SPLITS_FILE, *shards} <= listed.keys()
    whole = whole and all(
        _looks_whole(folder / name, digest, name in shards) for name, digest in listed.items()
    )
    return fingerprint if isinstance(fingerprint, str) and whole else None


def _looks_whole(path: Path, digest: str, is_shard: bool) -> bool:
    """Whether a file of a dataset seems unaltered; shards are too large to be read whole."""
    if not path.is_file():
        return False
    if path.name == schema.CARD:
        return path.stat().st_size > 0
    if not is_shard:
        return file_digest(path) == digest
    return stored_rows(path) is not None
