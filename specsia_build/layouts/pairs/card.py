"""The card of a dataset of pairs: front matter that loads its shards, a template with facts, a picture."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from string import Template
from typing import Any

import pyarrow.parquet as pq

from specsia_build.arrays import Pixels
from specsia_build.characters.character import id_order_key
from specsia_build.config import RANDOM
from specsia_build.dataset import schema
from specsia_build.dataset.licences import commonest
from specsia_build.dataset.parquet import local_path
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.layouts.card import (
    TEXTS,
    asked_for,
    backend_note,
    common_fields,
    how_built,
    licences_text,
    table,
)
from specsia_build.layouts.part import Facts, Member
from specsia_build.pictures.files import write_still
from specsia_build.pictures.sheets import WHITE, Sheet, spread
from specsia_build.png import decode_rgba

_MOST_ACTIONS = 30  # Actions that a card lists, those with the most clips first

# The teaser
_ITEMS = 4  # Most characters or clips
_VIEWS = 4  # Most views or frames of each
_CONFIGS = 4  # Most configurations
_ACROSS = 2  # Characters or clips side by side
_TILE = 96  # Pixels on a side of a picture
Rows = Mapping[str, Mapping[str, int]]
"""Number of rows (or characters, or clips) by configuration, or backend, and split."""


def write_card(facts: Facts, build: Mapping[str, Any], folder: Path | None) -> str:
    """Text of the README.md of a dataset, given all members and the content of its `build.json`.

    `dataset_info` is computed from the shards in `folder`; None leaves it out.
    """
    moving = build["config"].get("clips") is not None
    layers = {name: TEXTS["layers"][name] for name in build["config"].get("layers", ())}
    meanings = {**TEXTS["columns"], **(TEXTS["moving_columns"] if moving else {})}
    meanings |= {f"gt_{name}": text for name, text in layers.items()}
    lead, camera = _lead_and_camera(build["config"])
    weight = None
    if selected := build.get("selected"):
        names = " and ".join(f"`{origin['name']}` ({origin['digest'][:12]})" for origin in selected["of"])
        weight = selected["weight"]
        weighted = f", each with the weight `{weight}`" if weight else ""
        lead += f"\n\n{TEXTS['selected'].format(names=names, where=selected['where'], weight=weighted)}"
    if not weight:
        del meanings[schema.WEIGHT]
    rows = counted(facts, lambda members: sum(member.rows for member in members))
    packed = {member.character: member for member in facts.members}
    licenses = [(packed[i].license, packed[i].credit) for i in sorted(packed, key=id_order_key)]
    title = f"SPECSIA {'clips' if moving else 'pairs'} of {facts.source}"
    notes = (backend_note(backend, backend in facts.sees_ground_truth) for backend in rows)
    first = next(iter(rows))
    return filled(
        Path(__file__).with_name("card.md"),
        front_matter=front_matter(title, {name for name, _ in licenses}, rows, folder),
        config=f', "{first}"' if len(rows) > 1 else "",
        title=title,
        lead=lead,
        counts=_counts(facts, rows, moving),
        columns=table(["column", "meaning"], [(f"`{name}`", text) for name, text in meanings.items()]),
        how_built=how_built(build),
        backends="\n".join(notes),
        camera=camera,
        views="frames of each clip" if moving else "views of each character",
        quality=_quality(facts, moving),
        licences=licences_text(licenses),
        command="clips" if moving else "build",
    )


def by_backend(members: Sequence[Member]) -> dict[str, list[Member]]:
    """Members of each backend, in order."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(member.backend or "", []).append(member)
    return groups


def counted(facts: Facts, count: Callable[[Sequence[Member]], int]) -> dict[str, dict[str, int]]:
    """Counts of members by backend and split, without empty splits."""
    counts: dict[str, dict[str, int]] = {}
    for backend, members in by_backend(facts.members).items():
        counts[backend] = {}
        for split in schema.SPLITS:
            if part := [member for member in members if facts.splits[member.character] == split]:
                counts[backend][split] = count(part)
    return counts


def filled(template: Path, **texts: str) -> str:
    """Fill a template in."""
    return Template(template.read_text(encoding="utf-8")).substitute(texts)


def front_matter(title: str, licenses: Collection[str | None], rows: Rows, folder: Path | None) -> str:
    """YAML for the head of a card: its shards by configuration, and `dataset_info` of those in `folder`."""
    from huggingface_hub import DatasetCardData

    several = len(rows) > 1
    configs: list[dict[str, Any]] = []
    infos: list[dict[str, Any]] = []
    for backend, by_split in rows.items():
        counts = {split: by_split[split] for split in schema.SPLITS if by_split.get(split)}
        # The Hub refuses a configuration without files.
        if counts:
            name, inner = backend if several else schema.DEFAULT_CONFIG, schema.data_folder(backend, several)
            default = {"default": True} if several and not configs else {}
            files = [{"split": split, "path": f"{inner}/{split}-*.parquet"} for split in counts]
            configs.append({"config_name": name, **default, "data_files": files})
            if folder is not None:
                infos.append(({"config_name": name} if several else {}) | _info(folder / inner, counts))
    fields = common_fields(title, licenses, sum(sum(by_split.values()) for by_split in rows.values()))
    if infos:
        infos.sort(key=lambda info: str(info.get("config_name")))
        fields["dataset_info"] = infos if len(infos) > 1 else infos[0]
    return f"{DatasetCardData(**fields, configs=configs).to_yaml()}\n"


def _info(folder: Path, counts: Mapping[str, int]) -> dict[str, Any]:
    """`dataset_info` of a configuration as `datasets` writes it, from its shards and rows by split."""
    splits = []
    size = 0
    features: list[dict[str, Any]] = []
    for split, count in counts.items():
        paths = sorted(folder.glob(f"{split}-*.parquet"))
        footers = [pq.read_metadata(local_path(path)) for path in paths]
        size_bytes = sum(f.row_group(g).total_byte_size for f in footers for g in range(f.num_row_groups))
        splits.append({"name": split, "num_bytes": size_bytes, "num_examples": count})
        size += sum(path.stat().st_size for path in paths)
        features = [_feature(column) for column in footers[0].schema.to_arrow_schema().names]
    size_bytes = sum(split["num_bytes"] for split in splits)
    return {"features": features, "splits": splits, "download_size": size, "dataset_size": size_bytes}


def _feature(column: str) -> dict[str, Any]:
    kind, length = ("image", 0) if column in schema.ALL_IMAGES else schema.value_type(column)
    return {"name": column, "list": kind, "length": length} if length else {"name": column, "dtype": kind}


def _lead_and_camera(config: Mapping[str, Any]) -> tuple[str, str]:
    """Describe the rows and how they are framed."""
    clips, of_view = config.get("clips"), config["pos_frame"] == "view"
    values = {"size": config["size"], "seen": TEXTS["seen"][config["frontal"]]}
    positions = TEXTS["positions"]["view" if of_view else "character"]
    if clips is None:
        rig, count = config.get("cameras"), config["views"]
        views = f"{count} evenly spaced views" if rig is None else f"{count} views by the cameras `{rig}`"
        lead, wider = TEXTS["stills"].format(views=views, **values), ""
    else:
        views = clips["views"]
        cameras = "a camera in front of it" if views == 1 else f"each of {views} evenly spaced cameras"
        lead = TEXTS["clips"].format(cameras=cameras, fps=clips["fps"], **values)
        turning = " In the action `turntable` it stands at rest and the camera walks around it."
        lead += turning if clips["turntable"] else ""
        positions += " Figures are held over their place, but for up and down." if clips["in_place"] else ""
        wider = " or wider where a motion would leave that frame"
    rule = config.get("outline", RANDOM)
    column = "colour is {} (`outline_rgb`)" if rule.startswith("#") else "grey is {} (`outline_grey`)"
    greys = TEXTS["greys"].get(rule, f"Its {column.format(rule)}.")
    differences = [] if of_view else ["positions are coloured after the view turn"]
    differences += ["backends see the contour"] if config["frontal"] == "render" else []
    there = "".join(f";\nthere {difference}" for difference in differences)
    return lead, TEXTS["camera"].format(wider=wider, positions=positions, there=there, greys=greys)


def _counts(facts: Facts, rows: Rows, moving: bool) -> str:
    characters = counted(facts, lambda members: len({member.character for member in members}))
    counts: dict[str, Rows] = {"characters": characters}
    counts |= {"clips": counted(facts, len), "frames": rows} if moving else {"rows": rows}
    lines = []
    for backend, by_split in rows.items():
        for split in by_split:
            lines.append((backend, split, *(counts[name][backend].get(split, 0) for name in counts)))
    texts = [table(["backend", "split", *counts], lines)]
    if moving:
        of_clips = {member.id: member.action for member in facts.members}
        actions = commonest(Counter(action for action in of_clips.values() if action is not None))
        texts.append(table(["action", "clips"], actions[:_MOST_ACTIONS]))
        if (rest := len(actions) - _MOST_ACTIONS) > 0:
            texts.append(f"{rest} more actions have fewer clips, or as few.")
    noun = "clips or characters " if moving else ""
    places = {name: f"by {name}" if name else "before any backend" for name in facts.quarantined}
    left_out = [f"{count} {noun}{places[name]}" for name, count in facts.quarantined.items()]
    note = f"quarantined and left out: {', '.join(left_out)}." if left_out else "none was quarantined."
    return "\n\n".join([*texts, f"{asked_for(facts.planned)}; {note}"])


def _quality(facts: Facts, moving: bool) -> str:
    before = [] if moving else ["frontal before registration"]
    rows = []
    for backend, members in by_backend(facts.members).items():
        values = [member.mean_iou for member in members if member.mean_iou is not None]
        frontal = [member.frontal_before for member in members if member.frontal_before is not None]
        if values:
            measures = [fmean(values), min(values), median(values)]
            measures += [] if moving else [sum(frontal) / len(values)]
            rows.append([backend, *(f"{measure:.3f}" for measure in measures)])
    return table(["backend", "mean IoU", "worst", "median", *before], rows)


def write_pairs_teaser(folder: Path, configs: Sequence[str]) -> bytes:
    """Write `teaser.webp`: a few characters or clips of each of `configs`, in order; returns its bytes."""
    dataset = open_dataset(folder)
    named = [config for config in dict.fromkeys(configs) if config in dataset.configs] or [*dataset.configs]
    named, several = named[:_CONFIGS], len(named) > 1
    positions = [_positions(dataset, config) for config in named]
    in_all = set(positions[0]).intersection(*positions[1:])
    common = [key for key in positions[0] if key in in_all] or list(positions[0])
    # An empty key, with nothing to draw, stands for a dataset without rows.
    keys = [common[k] for k in spread(len(common), _ITEMS)] or [""]
    sides = [(named[0], positions[0], schema.GT)]
    sides += [(config, of_config, schema.COLOR) for config, of_config in zip(named, positions, strict=True)]

    tiles: list[Pixels | str] = []
    for key in keys:
        for config, of_config, column in sides:
            split, start, count = of_config.get(key, ("", 0, 0))
            rows = [start + k for k in spread(count, _VIEWS)]
            for row in dataset.take(config, split, rows, [column]) if rows else ():
                try:
                    tiles.append(decode_rgba(row[column]))
                except ValueError:
                    tiles.append("cannot be read")
            tiles += ["none"] * (_VIEWS - len(rows))
    heads = ["Y*", *([f"Z {config}" for config in named] if several else ["Z"])]
    write_still(folder / schema.TEASER, Sheet(keys, heads, [""] * _VIEWS, _ACROSS, _TILE, WHITE).draw(tiles))
    return (folder / schema.TEASER).read_bytes()


def _positions(dataset: OpenedDataset, config: str) -> dict[str, tuple[str, int, int]]:
    """Split, first row and number of rows of each character or clip; its rows are contiguous."""
    key = "clip" if dataset.moving else "character_id"
    column = key if key in dataset.columns else "uid"
    positions: dict[str, tuple[str, int, int]] = {}
    for split in dataset.splits(config):
        for index, row in enumerate(dataset.stream(config, split, [column])):
            of, start, count = positions.get(row[key], (split, index, 0))
            # Rows of one key in two splits are a fault that `verify` reports.
            positions[row[key]] = of, start, count + (of == split)
    return positions
