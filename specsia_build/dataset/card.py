"""The dataset card: `card.md`, filled in with what was built, below the card data of `huggingface_hub`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from specsia_build.dataset.licences import commonest, spdx_id, withheld
from specsia_build.dataset.parquet import local_path
from specsia_build.errors import plural

_TEXTS = yaml.safe_load(Path(__file__).with_name("card.yaml").read_text(encoding="utf-8"))

TAGS = ("specsia", "3d", "animation", "novel-view", "characters")

MOST_ACTIONS = 30
"""Actions that a card lists, those of the most clips first."""

_SIZES = {1_000: "n<1K", 10_000: "1K<n<10K", 100_000: "10K<n<100K", 1_000_000: "100K<n<1M", 10_000_000: "1M<n<10M"}

_HUB_LICENSES = (
    "apache-2.0 mit afl-3.0 artistic-2.0 bsl-1.0 bsd-2-clause bsd-3-clause cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 "
    "cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nd-4.0 cc-by-nc-nd-3.0 "
    "cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-sharing-1.0 cdla-permissive-1.0 "
    "cdla-permissive-2.0 wtfpl ecl-2.0 agpl-3.0 gpl-2.0 gpl-3.0 lgpl-2.1 lgpl-3.0 isc ms-pl mpl-2.0 odc-by odbl "
    "pddl ofl-1.1 unlicense zlib"
)
"""Licences that the Hub knows by name; all others are `other` there."""

_HUB_NAMES = {"odc-by-1.0": "odc-by", "odbl-1.0": "odbl", "pddl-1.0": "pddl"}

Rows = Mapping[str, Mapping[str, int]]
"""A count of rows (or characters, or clips) by configuration, or backend, and split."""

Sizes = Mapping[str, Mapping[str, tuple[int, int]]]
"""By configuration and split: bytes of the columns in memory, and of the files."""


@dataclass(frozen=True)
class CardFacts:
    """What a card states.

    Attributes:
        source: name of the source, free of paths.
        planned: characters of the source (within a limit).
        rows, characters, clips: counts by backend and split; `clips` only where rows are frames of clips.
        quality: per backend the mean IoUs of its packed characters, or clips.
        frontal_before: per backend the frontal IoUs before registration; none of clips.
        licenses: license and credit of each packed character.
        quarantined: characters (or clips) that were left out, by backend (`""` where it hit all).
        sees_ground_truth: backends that do.
        build: content of `build.json`.
        sizes: bytes by configuration and split, empty where they are not known.
        actions: clips by the name of their motion.
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
    sizes: Sizes = field(default_factory=dict)
    clips: Rows = field(default_factory=dict)
    actions: Mapping[str, int] = field(default_factory=dict)

    @property
    def moving(self) -> bool:
        """Whether the rows are frames of clips."""
        return self.build["config"].get("clips") is not None


def write_card(facts: CardFacts) -> str:
    """Text of the README.md of a dataset."""
    columns, meanings = schema.COLUMNS, _TEXTS["columns"]
    if facts.moving:
        columns, meanings = schema.MOVING_COLUMNS, {**meanings, **_TEXTS["moving_columns"]}
    first = next((backend for backend, rows in facts.rows.items() if any(rows.values())), next(iter(facts.rows)))
    title = f"SPECSIA {'clips' if facts.moving else 'pairs'} of {facts.source}"
    lead, camera = _lead_and_camera(facts)
    return _filled(
        "card.md",
        front_matter=front_matter(title, {name for name, _ in facts.licenses}, facts.rows, facts.sizes, columns),
        title=title,
        lead=lead,
        loading=_loading(facts.rows, first),
        counts=_counts(facts),
        columns=table(["column", "meaning"], [(f"`{name}`", text) for name, text in meanings.items()]),
        how_built=how_built(facts.build),
        backends="\n".join(backend_note(backend, backend in facts.sees_ground_truth) for backend in facts.rows),
        camera=camera,
        rows="frames of each clip" if facts.moving else "views of each character",
        quality=_quality(facts),
        licences=licences_text(facts.licenses),
        command="clips" if facts.moving else "build",
    )


def write_converted_card(
    source: str, rows: Rows, members: Mapping[tuple[str, str], Mapping[str, str | None]], build: Mapping[str, Any]
) -> str:
    """Text of the README.md of a dataset that was converted to the published schema.

    Args:
        source: name of the source, free of paths.
        rows: by configuration and split.
        members: licence by character, by configuration and split.
        build: content of its `build.json`.
    """
    counts = [(c, s, len(members[c, s]), count) for c, by_split in rows.items() for s, count in by_split.items()]
    licenses = {i: license_ for characters in members.values() for i, license_ in characters.items()}
    stated = [(name or "not stated", count) for name, count in commonest(Counter(licenses.values()))]
    title = f"SPECSIA pairs of {source}, published schema"
    return _filled(
        "card_published.md",
        front_matter=front_matter(title, set(licenses.values()), rows),
        title=title,
        digest=build["converted"]["from"]["digest"],
        loading=_loading(rows, next(iter(rows))),
        counts=table(["configuration", "split", "characters", "rows"], counts),
        licences=table(["licence", "characters"], stated) + _licence_warning(licenses.values()),
    )


def _filled(template: str, **texts: str) -> str:
    return Template(Path(__file__).with_name(template).read_text(encoding="utf-8")).substitute(texts)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; no text can end its cell or row."""
    cells = ([" ".join(str(value).split()).replace("|", "\\|") for value in row] for row in rows)
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in cells)])


def _loading(rows: Rows, first: str) -> str:
    named = f', "{first}"' if len(rows) > 1 else ""
    return f"""```python
from datasets import load_dataset
pairs = load_dataset("PATH_OR_REPO"{named})
pairs["train"][0]["{schema.COLOR}"]
```
"""


def _lead_and_camera(facts: CardFacts) -> tuple[str, str]:
    """What the rows are, and how they are framed."""
    config = facts.build["config"]
    clips, of_view = config.get("clips"), config["pos_frame"] == "view"
    values = {
        "size": config["size"],
        "seen": "its own drawing" if config["frontal"] == "drawing" else "its frontal view, without the contour",
    }
    positions = "Position colours are in the frame of the registered character, the same for a point in every row."
    if of_view:
        positions = "Position colours are taken after each view's turn, with a box for each view."
    frames = "" if of_view else ";\nand there positions are coloured after the view turn"
    if clips is None:
        lead, wider = _TEXTS["stills"].format(views=config["views"], **values), ""
    else:
        views = clips["views"]
        cameras = "a camera in front of it" if views == 1 else f"each of {views} evenly spaced cameras"
        lead = _TEXTS["clips"].format(cameras=cameras, fps=clips["fps"], **values)
        lead += " In the action `turntable` it stands at rest and the camera walks around it." * clips["turntable"]
        positions += " Figures are held over their place, but for up and down." * clips["in_place"]
        wider = " or wider where a motion would leave that frame"
    grey = config.get("outline", RANDOM)
    greys = _TEXTS["greys"].get(grey, f"Its grey is {grey} (`outline_grey`).")
    return lead, _TEXTS["camera"].format(wider=wider, positions=positions, frames=frames, greys=greys)


def asked_for(characters: int) -> str:
    """How many characters a dataset is about, whatever became of them."""
    return f"{plural(characters, 'character')} {'was' if characters == 1 else 'were'} asked for"


def _counts(facts: CardFacts) -> str:
    counted = {"characters": facts.characters, "rows": facts.rows}
    if facts.moving:
        counted = {"characters": facts.characters, "clips": facts.clips, "frames": facts.rows}
    rows = [
        (backend, split, *(found[backend].get(split, 0) for found in counted.values()))
        for backend, by_split in facts.rows.items()
        for split in schema.SPLITS
        if by_split.get(split)
    ]
    parts = [table(["backend", "split", *counted], rows)]
    if facts.moving:
        ordered = commonest(facts.actions)
        rest = len(ordered) - MOST_ACTIONS
        parts += [table(["action", "clips"], ordered[:MOST_ACTIONS])]
        parts += [f"{rest} more actions have fewer clips, or as few."] if rest > 0 else []
    what = "clips or characters " if facts.moving else ""
    lost = [f"{n} {what}{'by ' + name if name else 'before any backend'}" for name, n in facts.quarantined.items()]
    note = f"quarantined and left out: {', '.join(lost)}." if lost else "none was quarantined."
    return "\n\n".join([*parts, f"{asked_for(facts.planned)}; {note}"])


def _quality(facts: CardFacts) -> str:
    columns: dict[str, Callable[[Sequence[float]], float]] = {"mean IoU": fmean, "worst": min, "median": median}
    rows = [
        [backend, *(f"{measure(values):.3f}" for measure in columns.values())]
        + ([] if facts.moving else [f"{sum(facts.frontal_before[backend]) / len(values):.3f}"])
        for backend, values in facts.quality.items()
        if values
    ]
    return table(["backend", *columns, *([] if facts.moving else ["frontal before registration"])], rows)


def licences_text(licenses: Iterable[tuple[str | None, str | None]]) -> str:
    """A table of licence and credit of each character, and a warning where they forbid passing the dataset on."""
    counted = Counter(licenses)
    rows = [(name or "not stated", credit or "not stated", count) for (name, credit), count in commonest(counted)]
    return table(["licence", "credit", "characters"], rows) + _licence_warning(name for name, _ in counted.elements())


def _licence_warning(licenses: Iterable[str | None]) -> str:
    problems = withheld(licenses)
    return "" if problems is None else f"\n\nThis dataset is not to be passed on as it is: {problems}."


def backend_note(backend: str, sees_ground_truth: bool) -> str:
    """A list item that says what a backend is, and its known artefacts."""
    note = _TEXTS["backends"].get(backend, "a backend outside of this package; ask its author about it.")
    note = f"- `{backend}`: {note}"
    note += " It sees the ground truth." if sees_ground_truth else ""
    if backend not in pins.NAMES:
        return note
    pinned = pins.read_pins(backend)
    weights = ", ".join(f"{w.source}@{w.revision}" if w.source else w.name for w in pinned.weights)
    note += f" The bridge, version {pinned.version}, was written against {pinned.repository} at `{pinned.commit}`"
    return note + (f" with the weights {weights}." if weights else ".")


def how_built(build: Mapping[str, Any]) -> str:
    """Versions and settings of a build record, the settings as YAML that a command takes as it is."""
    settings = yaml.safe_dump(dict(build["config"]), sort_keys=False, allow_unicode=True).rstrip()
    parts = (build.get("stages", {}), build.get("packages", {}))
    stages, packages = (", ".join(f"{name} {version}" for name, version in part.items()) for part in parts)
    python = f"Python {build['python']} on {build['machine']}" if "python" in build else ""
    told = [f"specsia {build['specsia']}", python, f"stages {stages}" if stages else "", packages]
    return f"{'; '.join(filter(None, told))}. The settings:\n\n```yaml\n{settings}\n```"


def license_fields(licenses: Collection[str | None]) -> dict[str, Any]:
    """`license` for the licences of all characters, and `license_name` if the Hub knows none of that name."""
    different = set(licenses)
    if different <= {None}:
        return {"license": "unknown"}
    known = {_hub_license(text) for text in different if text is not None}
    if None in different or None in known:
        only = next(iter(different)) if len(different) == 1 else None
        name = re.sub(r"[^a-z0-9.]+", "-", only.casefold()).strip("-") if only else "mixed"
        return {"license": "other", "license_name": name or "unnamed"}
    names = sorted(name for name in known if name)
    return {"license": names[0] if len(names) == 1 else names}


def _hub_license(text: str) -> str | None:
    """The Hub's id of a licence; None if it has none."""
    name = (spdx_id(text) or "").casefold()
    name = _HUB_NAMES.get(name, re.sub(r"-(only|or-later)$", "", name))
    return name if name in _HUB_LICENSES.split() else None


def common_fields(name: str, licenses: Collection[str | None], count: int) -> dict[str, Any]:
    """Fields of every card: a name for people, the licences of the characters, and the number of rows or frames."""
    return {
        **license_fields(licenses),
        "pretty_name": name,
        "size_categories": [next((size for limit, size in _SIZES.items() if count < limit), "n>10M")],
        "task_categories": ["image-to-image"],
        "annotations_creators": ["machine-generated"],
        "tags": list(TAGS),
    }


def front_matter(
    name: str,
    licenses: Collection[str | None],
    rows: Rows,
    sizes: Sizes | None = None,
    columns: Sequence[str] = schema.COLUMNS,
) -> str:
    """The YAML of a card, without the lines of `---` around it.

    Args:
        name: for people.
        licenses: of the characters.
        rows: by configuration and split.
        sizes: of all these; without them `dataset_info` is left out.
        columns: of the rows, for `dataset_info`.
    """
    from huggingface_hub import DatasetCardData

    fields = common_fields(name, licenses, sum(sum(by_split.values()) for by_split in rows.values()))
    info = dataset_info(rows, sizes, columns) if sizes else None
    fields |= {"dataset_info": info} if info else {}
    return f"{DatasetCardData(**fields, configs=_configs(rows)).to_yaml()}\n"


def _splits_by_config(rows: Rows) -> dict[str, tuple[str, list[str]]]:
    """Folder and splits of each configuration that has rows: the Hub refuses one without files."""
    several = len(rows) > 1
    found = {}
    for backend, by_split in rows.items():
        if splits := [split for split in schema.SPLITS if by_split.get(split)]:
            name = backend if several else schema.DEFAULT_CONFIG
            found[name] = schema.data_folder(backend, several), splits
    return found


def _configs(rows: Rows) -> list[dict[str, Any]]:
    configs: list[dict[str, Any]] = []
    for name, (folder, splits) in _splits_by_config(rows).items():
        default = {"default": True} if len(rows) > 1 and not configs else {}
        files = [{"split": split, "path": f"{folder}/{split}-*.parquet"} for split in splits]
        configs.append({"config_name": name, **default, "data_files": files})
    return configs


def data_sizes(folder: Path, rows: Rows) -> Sizes:
    """Sizes of the splits of a dataset in a folder, from its shards' footers.

    Raises:
        OSError, pyarrow.ArrowException: if a shard cannot be read.
    """
    sizes: dict[str, dict[str, tuple[int, int]]] = {}
    for name, (inner, splits) in _splits_by_config(rows).items():
        for split in splits:
            paths = sorted((folder / inner).glob(f"{split}-*.parquet"))
            footers = [pq.read_metadata(local_path(path)) for path in paths]
            held = sum(f.row_group(g).total_byte_size for f in footers for g in range(f.num_row_groups))
            sizes.setdefault(name, {})[split] = held, sum(path.stat().st_size for path in paths)
    return sizes


def dataset_info(rows: Rows, sizes: Sizes, columns: Sequence[str] = schema.COLUMNS) -> Any:
    """`dataset_info` as `datasets` writes it: features, rows and bytes of each split; None if there are no rows."""
    several = len(rows) > 1
    infos = []
    for name, (_, splits) in _splits_by_config(rows).items():
        by_split, known = rows[name] if several else next(iter(rows.values())), sizes[name]
        infos.append(
            {
                **({"config_name": name} if several else {}),
                "features": [_feature(column) for column in columns],
                "splits": [{"name": s, "num_bytes": known[s][0], "num_examples": by_split[s]} for s in splits],
                "download_size": sum(known[split][1] for split in splits),
                "dataset_size": sum(known[split][0] for split in splits),
            }
        )
    if len(infos) < 2:
        return infos[0] if infos else None
    return sorted(infos, key=lambda info: str(info["config_name"]))


def _feature(column: str) -> dict[str, Any]:
    if column in schema.IMAGE_COLUMNS:
        return {"name": column, "dtype": "image"}
    kind, length = schema.value_type(column)
    return {"name": column, "list": kind, "length": length} if length else {"name": column, "dtype": kind}
