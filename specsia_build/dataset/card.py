"""The dataset card: generated from what was built, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import yaml

from specsia_build.dataset.schema import DEFAULT_CONFIG, IMAGE_COLUMNS, MEANINGS, SPLITS, data_folder

SIZE_CATEGORIES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)

BACKEND_NOTES = {
    "inflate": "inflates the silhouette of the frontal view and projects its colours; sees one image only. Known "
    "artefacts: fused legs, guessed backs, smeared sides, no contours.",
    "fusion": "renders six views of the ground truth at 256 pixels, damages them by a seeded model of what a "
    "multi-view diffusion network gets wrong (colour drift, moved and made-up detail, blur, masks, pose), and fuses "
    "them to a "
    "mesh with a colour per vertex. It imitates Wonder3D with instant-nsr; no network is run. Known artefacts: no "
    "contours, speckle where views meet, thin parts lost, fused legs, blotches.",
    "mesh-dir": "meshes that were reconstructed outside of this build.",
}


@dataclass(frozen=True)
class CardFacts:
    """What a card states.

    Attributes:
        source: name of the source, free of paths.
        planned: characters of the source (within a limit).
        rows: rows by backend and split.
        characters: packed characters by backend and split.
        quality: per backend the mean IoUs of its packed characters.
        frontal_before: per backend the frontal IoUs before registration.
        licenses: license and credit of each packed character.
        quarantined: characters that were left out, by backend (`""` where it hit all).
        sees_ground_truth: backends that do.
        build: what `build.json` holds.
    """

    source: str
    planned: int
    rows: Mapping[str, Mapping[str, int]]
    characters: Mapping[str, Mapping[str, int]]
    quality: Mapping[str, Sequence[float]]
    frontal_before: Mapping[str, Sequence[float]]
    licenses: Sequence[tuple[str | None, str | None]]
    quarantined: Mapping[str, int]
    sees_ground_truth: Sequence[str]
    build: Mapping[str, Any]


def _size_category(rows: int) -> str:
    return next((name for limit, name in SIZE_CATEGORIES if rows < limit), "n>10M")


def _license_field(licenses: set[str | None]) -> dict[str, str]:
    known = {"CC0-1.0": "cc0-1.0", "MIT": "mit", "CC-BY-4.0": "cc-by-4.0", "CC-BY-NC-4.0": "cc-by-nc-4.0"}
    if licenses == {None}:
        return {"license": "unknown"}
    if len(licenses) == 1:
        only = next(iter(licenses))
        assert only is not None
        return {"license": known[only]} if only in known else {"license": "other", "license_name": only}
    return {"license": "other", "license_name": "mixed"}


def _front_matter(facts: CardFacts) -> str:
    several = len(facts.rows) > 1
    configs: list[dict[str, Any]] = []
    for backend in facts.rows:
        # The Hub refuses a configuration without files.
        if not any(facts.rows[backend].values()):
            continue
        entry: dict[str, Any] = {"config_name": backend if several else DEFAULT_CONFIG}
        if several and not configs:
            entry["default"] = True
        folder = data_folder(backend, several)
        entry["data_files"] = [
            {"split": split, "path": f"{folder}/{split}-*.parquet"}
            for split in SPLITS
            if facts.rows[backend].get(split)
        ]
        configs.append(entry)
    total = sum(sum(by_split.values()) for by_split in facts.rows.values())
    fields = {
        **_license_field({license_ for license_, _ in facts.licenses}),
        "pretty_name": f"SPECSIA pairs of {facts.source}",
        "size_categories": [_size_category(total)],
        "task_categories": ["image-to-image"],
        "tags": ["specsia", "3d", "animation", "novel-view", "characters"],
        "configs": configs,
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


def _cell(value: object) -> str:
    """Text that cannot end its cell or its row."""
    return " ".join(str(value).split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


def _counts(facts: CardFacts) -> str:
    rows = [
        [backend, split, facts.characters[backend].get(split, 0), facts.rows[backend].get(split, 0)]
        for backend in facts.rows
        for split in SPLITS
        if facts.rows[backend].get(split)
    ]
    lost = [
        f"{count} {'by ' + backend if backend else 'before any backend'}"
        for backend, count in facts.quarantined.items()
    ]
    note = f"{facts.planned} characters were asked for; " + (
        f"quarantined and left out: {', '.join(lost)}." if lost else "none was quarantined."
    )
    return _table(["backend", "split", "characters", "rows"], rows) + "\n\n" + note


def _quality(facts: CardFacts) -> str:
    rows = []
    for backend, values in facts.quality.items():
        if values:
            ordered = sorted(values)
            rows.append(
                [
                    backend,
                    f"{sum(values) / len(values):.3f}",
                    f"{ordered[0]:.3f}",
                    f"{median(ordered):.3f}",
                    f"{sum(facts.frontal_before[backend]) / len(values):.3f}",
                ]
            )
    return _table(["backend", "mean IoU", "worst", "median", "frontal before registration"], rows)


def _licences(facts: CardFacts) -> str:
    counted = Counter(facts.licenses)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
    rows = [[license_ or "not stated", credit or "not stated", count] for (license_, credit), count in ordered]
    text = _table(["licence", "credit", "characters"], rows)
    if any(license_ is None for license_, _ in counted):
        text += "\n\nNobody stated a licence for some characters: find it out before you pass this dataset on."
    return text


def write_card(facts: CardFacts) -> str:
    """Text of the dataset's README.md."""
    config = facts.build["config"]
    image = next(iter(IMAGE_COLUMNS))
    several = len(facts.rows) > 1
    first = next((backend for backend, rows in facts.rows.items() if any(rows.values())), next(iter(facts.rows)))
    load = f'load_dataset("PATH_OR_REPO", "{first}")' if several else 'load_dataset("PATH_OR_REPO")'
    notes = []
    for backend in facts.rows:
        note = BACKEND_NOTES.get(backend, "a backend outside of this package; ask its author what it does.")
        seen = " It sees the ground truth." if backend in facts.sees_ground_truth else ""
        notes.append(f"- `{backend}`: {note}{seen}")
    fixed = " ".join(f"`{k}: {v}`" for k, v in config.items())
    turned = (
        "Position colours are in the frame of the registered character, the same for a point in every view."
        if config["pos_frame"] == "character"
        else "Position colours are taken after each view's turn, with a box for each view, as in the published script."
    )
    columns = _table(["column", "meaning"], [[f"`{name}`", meaning] for name, meaning in MEANINGS.items()])
    return f"""---
{_front_matter(facts)}---

# SPECSIA pairs of {facts.source}

Pairs for learning to repair drawn characters seen from new angles. Each character is rendered from {config["views"]}
evenly spaced views (`gt`, the target Y\\*); its frontal view alone is reconstructed in 3D, registered and rendered from
the same views (`color`, `mask`, `pos`: the damaged Z, Zmask, Zpos). Images are {config["size"]}×{config["size"]} PNG.

```python
from datasets import load_dataset
pairs = {load}
pairs["train"][0]["{image}"]
```

## What is in it

{_counts(facts)}

Splits share no character. `splits.json` lists them; they are drawn from the source's ids before anything is built.

{columns}

## How it was built

specsia {facts.build["specsia"]}, with {fixed}.

Backends:

{chr(10).join(notes)}

The camera is orthographic, 1.35 units wide, and walks counter-clockwise seen from above; characters have bounding-box
centre 0 and largest extent 1, Z up, facing -Y. {turned} Two differences from the published SPECSIA-15K: its contour is
centred on the silhouette, here it lies wholly outside; and there positions are coloured after the view turn.

## Registration

One similarity per character; IoU of the silhouettes at half coverage, contour left out, mean over the views:

{_quality(facts)}

## Licences

{_licences(facts)}

The dataset holds rendered pairs only: no mesh and no texture of a character.

## Check and rebuild

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` all that is promised of them; `checksums.parquet` holds
the SHA-256 of every image. `build.json` holds the settings and versions; with the same source at hand,
`specsia build SOURCE` with those settings gives the same bytes.

## Citation

SPECSIA-15K and DraViE (the published dataset and model), and 3DBiCar (RaBit: Parametric Modeling of 3D Biped Cartoon
Characters with a Topological-consistent Dataset, CVPR 2023) where its characters are used.
"""
