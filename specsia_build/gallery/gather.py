"""Reads a run's facts: meta data of artefacts, failures, the log, the packed dataset's digests; no picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from specsia_build.characters.character import id_order_key
from specsia_build.config import BuildConfig, backend_name
from specsia_build.dataset import schema, splits
from specsia_build.dataset.checksums import read_checksums
from specsia_build.dataset.layers import view_file
from specsia_build.errors import SpecsiaError
from specsia_build.files.records import parse_json, remembered_json
from specsia_build.frame import view_yaws
from specsia_build.gallery.facts import Facts, PackedFacts, TaskTime
from specsia_build.gallery.items import CLEAN, IOU, MADE, TARGET, Item, Side
from specsia_build.pipeline.failures import concerning, read_failures
from specsia_build.pipeline.layout import RunLayout
from specsia_build.pipeline.objects import Place
from specsia_build.pipeline.store import seen
from specsia_build.pipeline.tasks import backend_of
from specsia_build.stages import pack as pack_stage
from specsia_build.stages import project, reconstruct, render
from specsia_build.stages.artefact import sha256
from specsia_build.stages.registry import stages_for
from specsia_build.stages.stage import CharacterStage, Meta

ReadMeta = Callable[[Place], tuple[bool, Meta | None]]
"""Whether there is an artefact, and its meta data, as `store.seen` gives them."""


def gather(config: BuildConfig, layout: RunLayout, read: ReadMeta = seen) -> Facts:
    """Look at a run; the source itself need not be there any more.

    Args:
        config: of the run.
        layout: of the run.
        read: looks at artefacts, or knows them from before.

    Raises:
        SpecsiaError: if the splits or the failures cannot be read.
    """
    split_of = splits.frozen(layout.splits)
    made, outdated, damaged = [], Counter[str](), list[str]()
    meta = partial(meta_of, layout, damaged, read)
    drawn, projects = currently(render.STAGE, config), currently(project.STAGE, config)
    backends = {backend_name(spec): currently(reconstruct.STAGE, config, spec) for spec in config.backends}
    pairs: dict[tuple[str, str], str] = {}
    for character_id in asked_for(split_of, layout):
        rendered = meta(render.STAGE, None, character_id)
        if rendered is None:
            continue
        if not drawn(rendered):
            outdated[render.STAGE.name] += 1
            continue
        results: dict[str, Meta] = {}
        for name, reconstructs in backends.items():
            projected, mesh = meta(project.STAGE, name, character_id), meta(reconstruct.STAGE, name, character_id)
            if mesh is not None and not (reconstructs(mesh) and reconstruct.made_from(rendered, mesh)):
                outdated[f"{reconstruct.STAGE.name} {name}"] += 1
                mesh = None
            if projected is None:
                continue
            if (
                mesh is None
                or not projects(projected)
                or projected["inputs"] != project.made_from(config, rendered, mesh)
            ):
                outdated[f"{project.STAGE.name} {name}"] += 1
                continue
            results[name] = projected
            pairs[name, character_id] = digest_of(
                (
                    rendered["files"][view_file(schema.GT, view)]["sha256"],
                    projected["files"][view_file(schema.COLOR, view)]["sha256"],
                )
                for view in range(config.views)
            )
        made.append(_item(rendered, split_of[character_id], results, config.views))
    facts = facts_of(config, layout, split_of, pairs, damaged)
    return replace(facts, made=tuple(made), outdated=dict(outdated))


def currently(stage: CharacterStage, config: BuildConfig, spec: str | None = None) -> Callable[[Meta], bool]:
    """What tells of an artefact whether it is of the settings and versions of now, as far as they are known here."""
    backend = None
    # It need not be there any more to look at what it made.
    with suppress(SpecsiaError):
        backend = None if spec is None else backend_of(spec)
    made_by = stage.made_by(config, backend)
    return lambda meta: stage.is_current(meta, made_by, config)


def meta_of(
    layout: RunLayout, damaged: list[str], read: ReadMeta, stage: CharacterStage, backend: str | None, key: str
) -> Meta | None:
    """Meta data of an artefact; None where there is none that reads, which `damaged` then lists if it is there."""
    path = layout.artefact(stage, backend, key)
    there, found = read(path)
    if there and found is None:
        damaged.append(path.relative_to(layout.root).as_posix() if isinstance(path, Path) else str(path))
    return found


def facts_of(
    config: BuildConfig,
    layout: RunLayout,
    split_of: Mapping[str, str],
    pairs: Mapping[tuple[str, str], str],
    damaged: Sequence[str],
    clips: Mapping[str, str] | None = None,
) -> Facts:
    """The facts of a run but for its characters' own.

    Args:
        config: of it.
        layout: of it.
        split_of: split of each id of the source.
        pairs: digest of the pictures by backend and id of what is packed.
        damaged: artefacts that do not read.
        clips: split of each clip's id, where it has clips.
    """
    keys = {**split_of, **(clips or {})}
    times, unreadable = read_times(layout.log, config, keys)
    return Facts(
        root=layout.root,
        out=layout.out,
        source=source_name(config, layout),
        config=config,
        splits=split_of,
        left_out=left_out(layout) & split_of.keys(),
        made=(),
        outdated={},
        damaged=tuple(damaged),
        packed=packed_facts(config, layout, keys, pairs),
        failures=tuple(
            concerning(
                read_failures(layout.failures),
                asked_for(split_of, layout),
                [backend_name(spec) for spec in config.backends],
            )
        ),
        times=times,
        unreadable=unreadable,
    )


def asked_for(ids: Iterable[str], layout: RunLayout) -> list[str]:
    """Those that the latest build was about, in order."""
    out = left_out(layout)
    return [one for one in sorted(ids, key=id_order_key) if one not in out]


def left_out(layout: RunLayout) -> set[str]:
    """Ids that the latest build was told to leave out."""
    found = remembered_json(layout.left_out)
    return {one for one in found if isinstance(one, str)} if isinstance(found, list) else set()


def digest_of(images: Any) -> str:
    return sha256("".join(gt + color for gt, color in images).encode())


def _item(rendered: Meta, split: str, results: Mapping[str, Meta], views: int) -> Item:
    """A rendered character, and what came of it by the names of backends."""
    sides = {TARGET: Side(TARGET, CLEAN)}
    for name, projected in results.items():
        found = projected["registration"]
        facts = {"scale": found["scale"], "pitch": found["pitch_deg"], "yaw": found["yaw_deg"]}
        facts |= dict(zip("xyz", found["translation"], strict=True))
        facts["frontal_before"] = projected["frontal_iou_before"]
        sides[name] = Side(name, MADE, {IOU.key: tuple(projected["iou"])}, facts)
    return Item(
        id=rendered["id"],
        character=rendered["id"],
        split=split,
        frames=views,
        sides=sides,
        yaws=tuple(view_yaws(views)),
        license=rendered["license"],
        credit=rendered["source"],
        warnings=tuple(said for meta in (rendered, *results.values()) for said in meta["warnings"]),
        numbers={name: rendered[name] for name in ("fit", "outline_px", "outline_grey")},
    )


def source_name(config: BuildConfig, layout: RunLayout) -> str:
    record = _build_record(layout)
    if record is not None:
        return str(record["config"]["source"])
    return config.source if config.source.startswith("sample:") else Path(config.source).name or "source"


def _build_record(layout: RunLayout) -> dict[str, Any] | None:
    record = remembered_json(layout.dataset / schema.BUILD_FILE)
    config = record.get("config") if isinstance(record, dict) else None
    return record if isinstance(config, dict) and config.get("backends") and "source" in config else None


def packed_facts(
    config: BuildConfig, layout: RunLayout, split_of: Mapping[str, str], pairs: Mapping[tuple[str, str], str]
) -> PackedFacts | None:
    """What the dataset holds by its own list of digests; `pairs` are those of what is built."""
    record = _build_record(layout)
    if record is None:
        return None
    try:
        listed = read_checksums(layout.dataset)
    except SpecsiaError:
        return None
    gt, color = (32 * list(schema.IMAGE_COLUMNS).index(name) for name in (schema.GT, schema.COLOR))
    images: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    only = record["config"]["backends"][0]
    for (name, uid), row in listed.items():
        backend = only if name == schema.DEFAULT_CONFIG else name
        pair = row[gt : gt + 32].hex(), row[color : color + 32].hex()
        images.setdefault((backend, uid.rpartition("_")[0]), {})[uid] = pair
    rows: dict[str, Counter[str]] = {}
    digests = {}
    for (backend, character_id), found in images.items():
        uids = sorted(found, key=lambda uid: int(uid.rpartition("_")[2]))
        rows.setdefault(backend, Counter())[split_of.get(character_id, "")] += len(uids)
        digests[backend, character_id] = digest_of(found[u] for u in uids)
    return PackedFacts(rows, digests == dict(pairs), str(record["specsia"]))


def read_times(path: Path, config: BuildConfig, ids: Mapping[str, str]) -> tuple[tuple[TaskTime, ...], int]:
    """The latest time of each task of a run's log.

    Args:
        path: of the log; none is no task.
        config: of the run; other backends' tasks are left out.
        ids: of the source, and of clips; tasks of others are left out.

    Returns:
        The times, and the number of damaged lines.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return (), 0
    names = {None, *map(backend_name, config.backends)}
    order = list(dict.fromkeys((*(stage.name for stage in stages_for(config)), pack_stage.STAGE.name)))
    latest: dict[tuple[str, str | None, str], TaskTime] = {}
    unreadable = 0
    for line in lines:
        try:
            found = _task_time(parse_json(line, path.name))
        # A build that is killed while it writes leaves half a line.
        except (SpecsiaError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError):
            unreadable += 1
            continue
        if found.stage in order and found.backend in names and (not found.id or found.id in ids):
            latest[found.stage, found.backend, found.id] = found
    times = sorted(latest.values(), key=lambda t: (order.index(t.stage), t.backend or "", id_order_key(t.id)))
    return tuple(times), unreadable


def _task_time(record: Meta) -> TaskTime:
    return TaskTime(
        stage=record["stage"],
        backend=record["backend"],
        id=record["id"],
        seconds=float(record["seconds"]),
        parts={str(name): float(value) for name, value in record["parts"].items()},
        peak_mb=float(record["peak_mb"]),
        failed=record["reason"] is not None,
    )
