"""The YAML at the head of a dataset card, by the card data of `huggingface_hub`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from specsia_build.dataset import schema
from specsia_build.dataset.card.licences import spdx_id
from specsia_build.dataset.parquet import local_path

TAGS = ("specsia", "3d", "animation", "novel-view", "characters")

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

Sizes = Mapping[str, Mapping[str, tuple[int, int]]]
"""By configuration and split: bytes of the columns in memory, and of the files."""


def hub_license(text: str) -> str | None:
    """The Hub's id of a licence; None if it has none."""
    name = (spdx_id(text) or "").casefold()
    name = _HUB_NAMES.get(name, re.sub(r"-(only|or-later)$", "", name))
    return name if name in _HUB_LICENSES.split() else None


def license_fields(licenses: Collection[str | None]) -> dict[str, Any]:
    """`license` for the licences of all characters, and `license_name` if the Hub knows none of that name."""
    different = set(licenses)
    if different <= {None}:
        return {"license": "unknown"}
    known = {hub_license(text) for text in different if text is not None}
    if None in different or None in known:
        only = next(iter(different)) if len(different) == 1 else None
        name = re.sub(r"[^a-z0-9.]+", "-", only.casefold()).strip("-") if only else "mixed"
        return {"license": "other", "license_name": name or "unnamed"}
    names = sorted(name for name in known if name)
    return {"license": names[0] if len(names) == 1 else names}


def configs_field(rows: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """`configs` for rows by backend and split; the Hub refuses one without files, so those are left out."""
    several = len(rows) > 1
    configs: list[dict[str, Any]] = []
    for backend, by_split in rows.items():
        splits = [split for split in schema.SPLITS if by_split.get(split)]
        if not splits:
            continue
        entry: dict[str, Any] = {"config_name": backend if several else schema.DEFAULT_CONFIG}
        entry |= {"default": True} if several and not configs else {}
        folder = schema.data_folder(backend, several)
        entry["data_files"] = [{"split": split, "path": f"{folder}/{split}-*.parquet"} for split in splits]
        configs.append(entry)
    return configs


def data_sizes(folder: Path, rows: Mapping[str, Mapping[str, int]]) -> Sizes:
    """Sizes of the splits of a dataset in a folder, from its shards' footers.

    Raises:
        OSError, pyarrow.ArrowException: if a shard cannot be read.
    """
    several = len(rows) > 1
    sizes: dict[str, dict[str, tuple[int, int]]] = {}
    for backend, by_split in rows.items():
        for split in (split for split in schema.SPLITS if by_split.get(split)):
            paths = sorted((folder / schema.data_folder(backend, several)).glob(f"{split}-*.parquet"))
            footers = [pq.read_metadata(local_path(path)) for path in paths]
            held = sum(f.row_group(g).total_byte_size for f in footers for g in range(f.num_row_groups))
            config = sizes.setdefault(backend if several else schema.DEFAULT_CONFIG, {})
            config[split] = held, sum(path.stat().st_size for path in paths)
    return sizes


def dataset_info_field(
    rows: Mapping[str, Mapping[str, int]], sizes: Sizes, columns: Sequence[str] = schema.COLUMNS
) -> Any:
    """`dataset_info` as `datasets` writes it: features, rows and bytes of each split; None if there are no rows."""
    several = len(rows) > 1
    infos = []
    for backend, by_split in rows.items():
        config = backend if several else schema.DEFAULT_CONFIG
        known = {split: sizes[config][split] for split in schema.SPLITS if by_split.get(split)}
        if known:
            splits = [{"name": s, "num_bytes": held, "num_examples": by_split[s]} for s, (held, _) in known.items()]
            infos.append(
                {
                    **({"config_name": config} if several else {}),
                    "features": [_feature(column) for column in columns],
                    "splits": splits,
                    "download_size": sum(files for _, files in known.values()),
                    "dataset_size": sum(held for held, _ in known.values()),
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
    rows: Mapping[str, Mapping[str, int]],
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
    info = dataset_info_field(rows, sizes, columns) if sizes else None
    fields |= {"dataset_info": info} if info else {}
    return f"{DatasetCardData(**fields, configs=configs_field(rows)).to_yaml()}\n"
