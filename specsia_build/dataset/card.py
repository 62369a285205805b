"""The dataset card: card data of `huggingface_hub`, a template filled in with facts of the build, and a
picture."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median
from string import Template
from typing import Any

import pyarrow.parquet as pq
import yaml

from specsia_build.backends.upstream import pins
from specsia_build.config import RANDOM
from specsia_build.dataset import schema
from specsia_build.dataset.licences import commonest, license_fields, withheld
from specsia_build.dataset.pairs import BACKGROUND
from specsia_build.dataset.parquet import local_path
from specsia_build.dataset.reading import OpenedDataset, open_dataset
from specsia_build.errors import plural
from specsia_build.pictures.files import write_still
from specsia_build.pictures.films import Pixels
from specsia_build.pictures.sheets import WHITE, Sheet, spread
from specsia_build.png import decode_rgba

_TEXTS = yaml.safe_load(Path(__file__).with_name("card.yaml").read_text(encoding="utf-8"))

_MOST_ACTIONS = 30  # Actions that a card lists, those with the most clips first

_SIZES = {
    1_000: "n<1K",
    10_000: "1K<n<10K",
    100_000: "10K<n<100K",
    1_000_000: "100K<n<1M",
    10_000_000: "1M<n<10M",
}

_ITEMS, _VIEWS, _CONFIGS, _ACROSS, _TILE = 4, 4, 4, 2, 96
"""Layout of the teaser: at most so many characters or clips, views or frames of each, and configurations;
characters or clips side by side; and the size of each picture in pixels."""

Rows = Mapping[str, Mapping[str, int]]
"""Number of rows (or characters, or clips) by configuration, or backend, and split."""


@dataclass(frozen=True)
class CardFacts:
    """Contents of a card.

    Attributes:
        source: name of the source, without paths.
        planned: number of characters of the source (within a limit).
        rows, characters, clips: counts by backend and split; `clips` only if rows are frames of clips.
        quality, frontal_before: by backend, mean IoUs of the characters or clips, and frontal IoUs before
            registration.
        licenses: licence and credit of each packed character.
        quarantined: number of characters or clips left out, by backend (`""` for those that no backend saw).
        build: content of `build.json`.
        actions: number of clips by the name of their motion.
        folder: folder with the shards, from which `dataset_info` is computed; None leaves it out.
    """

    source: str
    planned: int
    rows: Rows
    characters: Rows
    quality: Mapping[str, Sequence[float]]
    frontal_before: Mapping[str, Sequence[float]]
    licenses: Sequence[tuple[str | None, str | None]]
    quarantined: Mapping[str, int]
    sees_ground_truth: Sequence[str]
    build: Mapping[str, Any]
    clips: Rows = field(default_factory=dict)
    actions: Mapping[str, int] = field(default_factory=dict)
    folder: Path | None = None

    @property
    def moving(self) -> bool:
        """Whether the rows are frames of clips."""
        return self.build["config"].get("clips") is not None


def write_card(facts: CardFacts) -> str:
    """Text of the README.md of a dataset."""
    meanings = {**_TEXTS["columns"], **(_TEXTS["moving_columns"] if facts.moving else {})}
    lead, camera = _lead_and_camera(facts)
    return _filled(
        "card.md",
        {name for name, _ in facts.licenses},
        facts.rows,
        facts.folder,
        title=f"SPECSIA {'clips' if facts.moving else 'pairs'} of {facts.source}",
        lead=lead,
        counts=_counts(facts),
        columns=table(["column", "meaning"], [(f"`{name}`", text) for name, text in meanings.items()]),
        how_built=how_built(facts.build),
        backends="\n".join(
            backend_note(backend, backend in facts.sees_ground_truth) for backend in facts.rows
        ),
        camera=camera,
        views="frames of each clip" if facts.moving else "views of each character",
        quality=_quality(facts),
        licences=licences_text(facts.licenses),
        command="clips" if facts.moving else "build",
    )


def write_converted_card(
    source: str,
    rows: Rows,
    members: Mapping[tuple[str, str], Mapping[str, str | None]],
    build: Mapping[str, Any],
) -> str:
    """Text of the README.md of a dataset that was converted; `members` are licences by character for each
    split."""
    counts = [
        (c, s, len(members[c, s]), count) for c, by_split in rows.items() for s, count in by_split.items()
    ]
    licenses = {i: license_ for characters in members.values() for i, license_ in characters.items()}
    stated = [(name or "not stated", count) for name, count in commonest(Counter(licenses.values()))]
    return _filled(
        "card_published.md",
        set(licenses.values()),
        rows,
        title=f"SPECSIA pairs of {source}, published schema",
        digest=build["converted"]["from"]["digest"],
        counts=table(["configuration", "split", "characters", "rows"], counts),
        licences=table(["licence", "characters"], stated) + _licence_warning(licenses.values()),
    )


def _filled(
    template: str, licenses: Collection[str | None], rows: Rows, folder: Path | None = None, **texts: str
) -> str:
    """Fill a template in, with front matter; `dataset_info` is computed from the shards in `folder`."""
    from huggingface_hub import DatasetCardData

    several, configs, infos = len(rows) > 1, list[dict[str, Any]](), list[dict[str, Any]]()
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
    fields = common_fields(
        texts["title"], licenses, sum(sum(by_split.values()) for by_split in rows.values())
    )
    if infos:
        infos.sort(key=lambda info: str(info.get("config_name")))
        fields["dataset_info"] = infos if len(infos) > 1 else infos[0]
    front_matter = f"{DatasetCardData(**fields, configs=configs).to_yaml()}\n"
    first = configs[0]["config_name"] if configs else next(iter(rows))
    text = Path(__file__).with_name(template).read_text(encoding="utf-8")
    config = f', "{first}"' if several else ""
    return Template(text).substitute(front_matter=front_matter, config=config, **texts)


def _info(folder: Path, counts: Mapping[str, int]) -> dict[str, Any]:
    """`dataset_info` of a configuration as `datasets` writes it, from its shards and the number of rows by
    split."""
    splits, size, features = [], 0, list[dict[str, Any]]()
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
    kind, length = ("image", 0) if column in schema.IMAGE_COLUMNS else schema.value_type(column)
    return {"name": column, "list": kind, "length": length} if length else {"name": column, "dtype": kind}


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; no text can end its cell or row."""
    cells = ([" ".join(str(value).split()).replace("|", "\\|") for value in row] for row in rows)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in cells)])


def _lead_and_camera(facts: CardFacts) -> tuple[str, str]:
    """Describe the rows and how they are framed."""
    config = facts.build["config"]
    clips, of_view = config.get("clips"), config["pos_frame"] == "view"
    values = {"size": config["size"], "seen": _TEXTS["seen"][config["frontal"]]}
    positions = _TEXTS["positions"]["view" if of_view else "character"]
    if clips is None:
        lead, wider = _TEXTS["stills"].format(views=config["views"], **values), ""
    else:
        views = clips["views"]
        cameras = "a camera in front of it" if views == 1 else f"each of {views} evenly spaced cameras"
        lead = _TEXTS["clips"].format(cameras=cameras, fps=clips["fps"], **values)
        lead += (
            " In the action `turntable` it stands at rest and the camera walks around it."
            * clips["turntable"]
        )
        positions += " Figures are held over their place, but for up and down." * clips["in_place"]
        wider = " or wider where a motion would leave that frame"
    rule = config.get("outline", RANDOM)
    column = "colour is {} (`outline_rgb`)" if rule.startswith("#") else "grey is {} (`outline_grey`)"
    greys = _TEXTS["greys"].get(rule, f"Its {column.format(rule)}.")
    differences = [
        *(() if of_view else ("positions are coloured after the view turn",)),
        *(("backends see the contour",) if config["frontal"] == "render" else ()),
    ]
    there = "".join(f";\nthere {difference}" for difference in differences)
    return lead, _TEXTS["camera"].format(wider=wider, positions=positions, there=there, greys=greys)


def asked_for(characters: int) -> str:
    """A clause with the number of characters that a build was asked for."""
    return f"{plural(characters, 'character')} {'was' if characters == 1 else 'were'} asked for"


def _counts(facts: CardFacts) -> str:
    of_clips = {"clips": facts.clips, "frames": facts.rows}
    counted = {"characters": facts.characters, **(of_clips if facts.moving else {"rows": facts.rows})}
    rows = [
        (backend, split, *(counts[backend].get(split, 0) for counts in counted.values()))
        for backend, by_split in facts.rows.items()
        for split in schema.SPLITS
        if by_split.get(split)
    ]
    texts = [table(["backend", "split", *counted], rows)]
    if facts.moving:
        actions = commonest(facts.actions)
        texts.append(table(["action", "clips"], actions[:_MOST_ACTIONS]))
        if (rest := len(actions) - _MOST_ACTIONS) > 0:
            texts.append(f"{rest} more actions have fewer clips, or as few.")
    noun = "clips or characters " if facts.moving else ""
    left_out = [
        f"{n} {noun}{'by ' + name if name else 'before any backend'}" for name, n in facts.quarantined.items()
    ]
    note = f"quarantined and left out: {', '.join(left_out)}." if left_out else "none was quarantined."
    return "\n\n".join([*texts, f"{asked_for(facts.planned)}; {note}"])


def _quality(facts: CardFacts) -> str:
    before = [] if facts.moving else ["frontal before registration"]
    rows = []
    for backend, values in facts.quality.items():
        if values:
            frontal = [] if facts.moving else [sum(facts.frontal_before[backend]) / len(values)]
            measures = (fmean(values), min(values), median(values), *frontal)
            rows.append([backend, *(f"{measure:.3f}" for measure in measures)])
    return table(["backend", "mean IoU", "worst", "median", *before], rows)


def licences_text(licenses: Iterable[tuple[str | None, str | None]]) -> str:
    """A table of the licence and credit of characters, and a warning if they forbid passing the dataset
    on."""
    counted = Counter(licenses)
    rows = [
        (name or "not stated", credit or "not stated", count) for (name, credit), count in commonest(counted)
    ]
    return table(["licence", "credit", "characters"], rows) + _licence_warning(
        name for name, _ in counted.elements()
    )


def _licence_warning(licenses: Iterable[str | None]) -> str:
    return "".join(f"\n\nThis dataset {reason}." for reason in withheld(licenses))


def backend_note(backend: str, sees_ground_truth: bool) -> str:
    """A list item that describes a backend and its known artefacts."""
    note = _TEXTS["backends"].get(backend, "a backend outside of this package; ask its author about it.")
    note = f"- `{backend}`: {note}{' It sees the ground truth.' if sees_ground_truth else ''}"
    if backend not in pins.NAMES:
        return note
    pinned = pins.read_pins(backend)
    weights = ", ".join(f"{w.source}@{w.revision}" if w.source else w.name for w in pinned.weights)
    note += (
        f" The bridge, version {pinned.version}, was written against {pinned.repository} at `{pinned.commit}`"
    )
    return note + (f" with the weights {weights}." if weights else ".")


def how_built(build: Mapping[str, Any]) -> str:
    """Versions and settings of a build record, the settings as YAML that `--config` accepts."""
    settings = yaml.safe_dump(dict(build["config"]), sort_keys=False, allow_unicode=True).rstrip()
    parts = (build.get("stages", {}), build.get("packages", {}))
    stages, packages = (", ".join(f"{name} {version}" for name, version in part.items()) for part in parts)
    python = f"Python {build['python']} on {build['machine']}" if "python" in build else ""
    versions = [f"specsia {build['specsia']}", python, f"stages {stages}" if stages else "", packages]
    return f"{'; '.join(filter(None, versions))}. The settings:\n\n```yaml\n{settings}\n```"


def common_fields(name: str, licenses: Collection[str | None], count: int) -> dict[str, Any]:
    """Fields of every card: a name for people, the licences of the characters, and a size by the number of
    rows or frames."""
    return {
        **license_fields(licenses),
        "pretty_name": name,
        "size_categories": [next((size for limit, size in _SIZES.items() if count < limit), "n>10M")],
        "task_categories": ["image-to-image"],
        "annotations_creators": ["machine-generated"],
        "tags": ["specsia", "3d", "animation", "novel-view", "characters"],
    }


def write_teaser(folder: Path, configs: Sequence[str]) -> None:
    """Write `teaser.webp`: a few characters or clips of each configuration in `configs`, in their order."""
    dataset = open_dataset(folder)
    named = [config for config in dict.fromkeys(configs) if config in dataset.configs] or [*dataset.configs]
    named, several = named[:_CONFIGS], len(named) > 1
    positions = [_positions(dataset, config) for config in named]
    common = [key for key in positions[0] if all(key in others for others in positions[1:])] or list(
        positions[0]
    )
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
    ground = (BACKGROUND,) * 3 if dataset.kind == "published" else WHITE
    heads = ["Y*", *([f"Z {config}" for config in named] if several else ["Z"])]
    write_still(folder / schema.TEASER, Sheet(keys, heads, [""] * _VIEWS, _ACROSS, _TILE, ground).draw(tiles))


def _positions(dataset: OpenedDataset, config: str) -> dict[str, tuple[str, int, int]]:
    """Split, first row and number of rows of each character or clip; its rows are contiguous."""
    key = "clip" if dataset.moving else "character_id"
    positions: dict[str, tuple[str, int, int]] = {}
    for split in dataset.splits(config):
        for index, row in enumerate(
            dataset.stream(config, split, [key if key in dataset.columns else "uid"])
        ):
            of, start, count = positions.get(row[key], (split, index, 0))
            # Rows of one key in two splits are a fault that `verify` reports.
            positions[row[key]] = of, start, count + (of == split)
    return positions
