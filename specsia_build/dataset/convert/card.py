"""The card of a dataset that was converted to the published schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from specsia_build.dataset.card.text import TEASER_TEXT, licence_warning, table
from specsia_build.dataset.card.words import commonest
from specsia_build.dataset.card.yaml import front_matter
from specsia_build.dataset.schema import PUBLISHED_COLUMNS
from specsia_build.errors import brief

MEANINGS = {
    "uid": "`{character}_{view:02d}`, unique in a configuration; view 0 is the frontal view",
    "color": "Z: the reconstruction, rendered, RGB on (240, 240, 240)",
    "mask": "Zmask: the silhouette of the reconstruction, grey levels are coverage",
    "pos": "Zpos: position on the reconstruction as a colour, RGB on (240, 240, 240)",
    "edge": "edges of `pos` (Sobel), black on white",
    "gt": "Y*: the clean render with its contour, RGB on (240, 240, 240)",
}


@dataclass(frozen=True)
class ConvertedFacts:
    """What the card states.

    Attributes:
        source: name of the source, free of paths.
        digest: identifies the dataset that was converted.
        rows: by configuration and split.
        characters: by configuration and split.
        licenses: of each character.
        build: what the original's `build.json` holds, empty if it had none.
    """

    source: str
    digest: str
    rows: Mapping[str, Mapping[str, int]]
    characters: Mapping[str, Mapping[str, int]]
    licenses: Mapping[str, str | None]
    build: Mapping[str, Any]


def write_converted_card(facts: ConvertedFacts) -> str:
    """Text of the converted dataset's README.md."""
    counts = table(
        ["configuration", "split", "characters", "rows"],
        [
            [config, split, facts.characters[config][split], rows]
            for config, by_split in facts.rows.items()
            for split, rows in by_split.items()
        ],
    )
    columns = table(["column", "meaning"], [[f"`{name}`", MEANINGS[name]] for name in PUBLISHED_COLUMNS])
    found = Counter(facts.licenses.values())
    licences = table(
        ["licence", "characters"],
        [[name or "not stated", n] for name, n in commonest(found)],
    )
    settings = " ".join(f"`{brief(f'{name}: {value}')}`" for name, value in facts.build.get("config", {}).items())
    version = brief(str(facts.build.get("specsia", "")), 40)
    built = f"It was built by specsia {version} with {settings}." if settings else ""
    load = f'load_dataset("PATH_OR_REPO", "{next(iter(facts.rows))}")' if len(facts.rows) > 1 else ""
    title = f"SPECSIA pairs of {facts.source}, published schema"
    return f"""---
{front_matter(title, set(facts.licenses.values()), facts.rows)}---

# {title}

{TEASER_TEXT}

A dataset of specsia converted to the columns of the published SPECSIA-15K by `specsia convert --to published`. The
original's digest is `{facts.digest}`. {built}

```python
from datasets import load_dataset
pairs = {load or 'load_dataset("PATH_OR_REPO")'}
```

## What is in it

{counts}

{columns}

Splits, shards and the order of rows are the original's; `splits.json` lists the characters of each split.

## How it differs

- From the original: pictures are composited on (240, 240, 240), averaged as encoded, so that the alpha of `gt` is gone
  and that of `color` and `pos` is only in `mask`; the silhouette of the ground truth (`gt_mask`), its overlap with
  `mask`, the box of the positions, the contour's thickness and grey, and the licence of each row are not in it.
- From the published set: `mask` is the silhouette of the reconstruction, there it is the ground truth's; the contour
  lies outside of the silhouette, there it is centred on it; positions are those of the original's `pos_frame`, there
  they are coloured after each view's turn; Y* and Z share one colour pipeline.

## Licences

{licences}{licence_warning(facts.licenses.values())}

The dataset holds rendered pairs only: no mesh and no texture of a character.

## Check

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` what this schema lets one check; `checksums.parquet`
holds the SHA-256 of every image.
"""
