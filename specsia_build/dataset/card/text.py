"""The dataset card: generated from what was built, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import yaml

from specsia_build.backends.upstream import pins
from specsia_build.config import DARK, RANDOM
from specsia_build.dataset.card.licences import commonest, withheld
from specsia_build.dataset.card.yaml import Sizes, front_matter
from specsia_build.dataset.schema import (
    COLUMNS,
    IMAGE_COLUMNS,
    MEANINGS,
    MOVING_COLUMNS,
    MOVING_MEANINGS,
    PUBLISHED_COLUMNS,
    SPLITS,
    TEASER,
)
from specsia_build.errors import plural

BACKEND_NOTES = {
    "relief": "predicts depths of front and back from the frontal view alone, by a small network, and colours the back "
    "with the drawing's own colours. Known artefacts: parts that touch in the drawing are joined, what the drawing "
    "does not show is missing, no contours.",
    "inflate": "inflates the silhouette of the frontal view and projects its colours; sees one image only. Known "
    "artefacts: fused legs, guessed backs, smeared sides, no contours.",
    "fusion": "renders six views of the ground truth at 256 pixels, damages them by a seeded model of what a "
    "multi-view diffusion network gets wrong (colour drift, moved and made-up detail, blur, masks, pose), and fuses "
    "them to a mesh with a colour per vertex. It imitates Wonder3D with instant-nsr; no network is run. Known "
    "artefacts: no contours, speckle where views meet, thin parts lost, fused legs, blotches.",
    "mesh-dir": "meshes that were reconstructed outside of this build; ask whoever made them what they show.",
    "wonder3d": "runs Wonder3D on the frontal view and fuses its six views. Known artefacts: no contours, speckle "
    "where views meet, colours of unseen sides made up, thin parts lost.",
    "drawingspinup": "runs DrawingSpinUp's reconstruction (Wonder3D's views, instant-nsr) on the frontal view. Known "
    "artefacts: no contours, speckle where views meet, colours of unseen sides made up, thin parts lost or fused.",
    "instantmesh": "runs InstantMesh on the frontal view. Known artefacts: no contours, softened texture, backs and "
    "sides made up, thin parts lost.",
    "crm": "runs CRM on the frontal view. Known artefacts: no contours, softened texture, backs and sides made up, "
    "rounded or doubled thin parts.",
}

PAPERS = """```bibtex
@inproceedings{kim2026specsia,
  title     = {{SPECSIA}: Stylization Dataset for Novel-View Enhancement in Drawing-based 3D Animation},
  author    = {Kim, Kyuwon and Yoon, Sunjae and Yoo, Chang D.},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year      = {2026},
  note      = {arXiv:2607.00525}
}

@inproceedings{luo2023rabit,
  title     = {{RaBit}: Parametric Modeling of {3D} Biped Cartoon Characters with a Topological-consistent Dataset},
  author    = {Luo, Zhongjin and Cai, Shengcai and Dong, Jinguo and Ming, Ruibo and Qiu, Liangdong and Zhan, Xiaohang
               and Han, Xiaoguang},
  booktitle = {Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern Recognition (CVPR)},
  pages     = {12825--12835},
  year      = {2023}
}
```"""


@dataclass(frozen=True)
class CardFacts:
    """What a card states.

    Attributes:
        source: name of the source, free of paths.
        planned: characters of the source (within a limit).
        rows: rows by backend and split.
        characters: packed characters by backend and split.
        quality: per backend the mean IoUs of its packed characters, or clips.
        frontal_before: per backend the frontal IoUs before registration; none of clips.
        licenses: license and credit of each packed character.
        quarantined: characters (or clips) that were left out, by backend (`""` where it hit all).
        sees_ground_truth: backends that do.
        build: what `build.json` holds.
        sizes: bytes by configuration and split, empty where they are not known.
        clips: packed clips by backend and split, where the rows are frames of clips.
        actions: clips by the name of their motion.
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
    sizes: Sizes = field(default_factory=dict)
    clips: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    actions: Mapping[str, int] = field(default_factory=dict)

    @property
    def moving(self) -> bool:
        """Whether the rows are frames of clips."""
        return self.build["config"].get("clips") is not None


def _cell(value: object) -> str:
    """Text that cannot end its cell or its row."""
    return " ".join(str(value).split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines)


MOST_ACTIONS = 30
"""That a card lists, those of the most clips first."""


def asked_for(characters: int) -> str:
    """How many characters a dataset is about, whatever became of them."""
    return f"{plural(characters, 'character')} {'was' if characters == 1 else 'were'} asked for"


def _counts(facts: CardFacts) -> str:
    counted = [facts.characters, facts.clips, facts.rows] if facts.moving else [facts.characters, facts.rows]
    rows = [
        [backend, split, *(found[backend].get(split, 0) for found in counted)]
        for backend in facts.rows
        for split in SPLITS
        if facts.rows[backend].get(split)
    ]
    what = "clips or characters " if facts.moving else ""
    lost = [
        f"{count} {what}{'by ' + backend if backend else 'before any backend'}"
        for backend, count in facts.quarantined.items()
    ]
    note = f"{asked_for(facts.planned)}; " + (
        f"quarantined and left out: {', '.join(lost)}." if lost else "none was quarantined."
    )
    head = ["characters", "clips", "frames"] if facts.moving else ["characters", "rows"]
    return "\n\n".join([table(["backend", "split", *head], rows), *_actions(facts), note])


def _actions(facts: CardFacts) -> list[str]:
    """A table of the motions of clips; nothing of stills."""
    if not facts.moving:
        return []
    ordered = commonest(facts.actions)
    rest = len(ordered) - MOST_ACTIONS
    text = table(["action", "clips"], ordered[:MOST_ACTIONS])
    return [text, *([f"{rest} more actions have fewer clips, or as few."] if rest > 0 else [])]


def _quality(facts: CardFacts) -> str:
    rows = []
    for backend, values in facts.quality.items():
        if values:
            ordered = sorted(values)
            row = [backend, f"{sum(values) / len(values):.3f}", f"{ordered[0]:.3f}", f"{median(ordered):.3f}"]
            before = [] if facts.moving else [f"{sum(facts.frontal_before[backend]) / len(values):.3f}"]
            rows.append([*row, *before])
    head = ["backend", "mean IoU", "worst", "median"]
    return table([*head, *([] if facts.moving else ["frontal before registration"])], rows)


def licences_text(licenses: Iterable[tuple[str | None, str | None]]) -> str:
    """A table of licence and credit of each character, and what to do where there is none."""
    counted = Counter(licenses)
    rows = [
        [license_ or "not stated", credit or "not stated", count] for (license_, credit), count in commonest(counted)
    ]
    text = table(["licence", "credit", "characters"], rows)
    return text + licence_warning(license_ for license_, _ in counted.elements())


def licence_warning(licenses: Iterable[str | None]) -> str:
    """A paragraph below the licences of all characters where these do not let the dataset be passed on."""
    problems = withheld(licenses)
    return "" if problems is None else f"\n\nThis dataset is not to be passed on as it is: {problems}."


def backend_note(backend: str, sees_ground_truth: bool) -> str:
    """A point of a list: what a backend is, and its known artefacts."""
    note = f"- `{backend}`: {BACKEND_NOTES.get(backend, 'a backend outside of this package; ask its author about it.')}"
    if sees_ground_truth:
        note += " It sees the ground truth."
    if backend not in pins.NAMES:
        return note
    pinned = pins.read_pins(backend)
    weights = ", ".join(f"{w.source}@{w.revision}" if w.source else w.name for w in pinned.weights)
    note += f" The bridge, version {pinned.version}, was written against {pinned.repository} at `{pinned.commit}`"
    return note + (f" with the weights {weights}." if weights else ".")


def how_built(build: Mapping[str, Any]) -> str:
    """Versions of all that made a dataset, and the settings, from what its record holds."""
    # A YAML file whose values are all settings can be handed to the command as it is.
    settings = yaml.safe_dump(dict(build["config"]), sort_keys=False, allow_unicode=True).rstrip()
    stages = ", ".join(f"{name} {version}" for name, version in build.get("stages", {}).items())
    packages = ", ".join(f"{name} {version}" for name, version in build.get("packages", {}).items())
    told = [f"specsia {build['specsia']}"]
    told += [f"Python {build['python']} on {build['machine']}"] if "python" in build else []
    told += [f"stages {stages}"] if stages else []
    told += [packages] if packages else []
    return f"{'; '.join(told)}. The settings:\n\n```yaml\n{settings}\n```"


TEASER_TEXT = f"![Y* and Z of a few of them]({TEASER})"
"""Below the title of a card."""


_STILLS = """\
Pairs for learning to repair drawn characters seen from new angles. Each character is rendered from {views}
evenly spaced views (`gt`, the target Y\\*). A backend reconstructs it in 3D from {seen};
that mesh is registered and rendered from the same views (`color`, `mask`, `pos`: the damaged Z, Zmask, Zpos). Images
are {size}×{size} PNG."""

_CLIPS = """\
Frames for learning to repair drawn characters in motion. A clip is one motion of a character, seen by {cameras} at
{fps:g} frames a second; a row is a frame, and those of a clip stand together and in order. The character is drawn in
motion (`gt`, the target Y\\*). A backend reconstructs it in 3D from {seen}; that mesh is registered at rest, takes the
character's motion by skin weights that are carried over to it, and is drawn in the same frames (`color`, `mask`, `pos`:
the damaged Z, Zmask, Zpos). Images are {size}×{size} PNG."""

_CAMERA = """\
The camera is orthographic, 1.35 units wide{wider}, and view by view it walks counter-clockwise seen from above.
Characters have bounding-box centre 0 and largest extent 1 (less where the frame would cut them), Z up, facing -Y.
{positions}
The published SPECSIA-15K differs: its contour is centred on the silhouette, here it lies wholly outside{frames}.
{greys}"""

_GREYS = {
    RANDOM: "Its grey is random (`outline_grey`, 0-255), so that on white every other one is faint or not seen.",
    DARK: "Its grey is random among the dark ones (`outline_grey`, below 64).",
}

_REGISTRATION = """\
One similarity per character brings the reconstruction onto the ground truth at rest. IoU of the silhouettes at half
coverage, contour left out, mean over the {rows}; `iou` holds that of each row:"""


def _texts(facts: CardFacts) -> tuple[str, str, str]:
    """What the rows are, how they are framed, and what the table of IoU shows."""
    config = facts.build["config"]
    seen = "its own drawing" if config["frontal"] == "drawing" else "its frontal view, without the contour"
    positions = "Position colours are in the frame of the registered character, the same for a point in every row."
    if config["pos_frame"] == "view":
        positions = "Position colours are taken after each view's turn, with a box for each view."
    frames = "" if config["pos_frame"] == "view" else ";\nand there positions are coloured after the view turn"
    grey = config.get("outline", RANDOM)
    greys = _GREYS.get(grey, f"Its grey is {grey} (`outline_grey`).")
    if not facts.moving:
        lead = _STILLS.format(views=config["views"], seen=seen, size=config["size"])
        camera = _CAMERA.format(wider="", positions=positions, frames=frames, greys=greys)
        return lead, camera, _REGISTRATION.format(rows="views of each character")
    clips = config["clips"]
    cameras = "a camera in front of it" if clips["views"] == 1 else f"each of {clips['views']} evenly spaced cameras"
    lead = _CLIPS.format(cameras=cameras, fps=clips["fps"], seen=seen, size=config["size"])
    if clips["turntable"]:
        lead += " In the action `turntable` it stands at rest and the camera walks around it."
    if clips["in_place"]:
        positions += " Figures are held over their place, but for up and down."
    camera = _CAMERA.format(
        wider=" or wider where a motion would leave that frame", positions=positions, frames=frames, greys=greys
    )
    return lead, camera, _REGISTRATION.format(rows="frames of each clip")


def write_card(facts: CardFacts) -> str:
    """Text of the dataset's README.md."""
    lead, camera, registration = _texts(facts)
    columns, meanings = (MOVING_COLUMNS, MOVING_MEANINGS) if facts.moving else (COLUMNS, MEANINGS)
    several = len(facts.rows) > 1
    first = next((backend for backend, rows in facts.rows.items() if any(rows.values())), next(iter(facts.rows)))
    listed = table(["column", "meaning"], [[f"`{name}`", meaning] for name, meaning in meanings.items()])
    title = f"SPECSIA {'clips' if facts.moving else 'pairs'} of {facts.source}"
    return f"""---
{front_matter(title, {license_ for license_, _ in facts.licenses}, facts.rows, facts.sizes, columns)}---

# {title}

{TEASER_TEXT}

{lead}

{_loading(first if several else None)}
## What is in it

{_counts(facts)}

Splits share no character. `splits.json` lists them; they are fixed on the source's ids before anything is built.

{listed}

## How it was built

{how_built(facts.build)}

Backends and their known artefacts:

{chr(10).join(backend_note(backend, backend in facts.sees_ground_truth) for backend in facts.rows)}

{camera}

## Registration

{registration}

{_quality(facts)}

## Licences

{licences_text(facts.licenses)}

The dataset holds rendered pairs only: no mesh and no texture of a character, and no path of the machine that built it.

## Check and rebuild

`sha256sum -c SHA256SUMS` checks the files, and `specsia verify .` all that is promised of them, down to the pixels;
`checksums.parquet` holds the SHA-256 of every image. To rebuild it, take the same source and the versions above, save
the settings as `settings.yaml`, and run

```sh
specsia {"clips" if facts.moving else "build"} SOURCE --config settings.yaml --out rebuilt
specsia diff . rebuilt/dataset
```

On the same kind of processor the bytes are the same; `diff` says what is not.

## Citation

If you use these pairs, cite SPECSIA (the task, the published SPECSIA-15K and DraViE), and RaBit where characters of
3DBiCar are used:

{PAPERS}
"""


def _loading(config: str | None) -> str:
    named = f', "{config}"' if config is not None else ""
    return f"""```python
from datasets import load_dataset
pairs = load_dataset("PATH_OR_REPO"{named})
pairs["train"][0]["{next(iter(IMAGE_COLUMNS))}"]
```
"""


_PUBLISHED_MEANINGS = {
    "uid": "`{character}_{view:02d}`, unique in a configuration; view 0 is the frontal view",
    "color": "Z: the reconstruction, rendered, RGB on (240, 240, 240)",
    "mask": "Zmask: the silhouette of the reconstruction, grey levels are coverage",
    "pos": "Zpos: position on the reconstruction as a colour, RGB on (240, 240, 240)",
    "edge": "edges of `pos` (Sobel), black on white",
    "gt": "Y*: the clean render with its contour, RGB on (240, 240, 240)",
}


def write_converted_card(
    source: str,
    rows: Mapping[str, Mapping[str, int]],
    members: Mapping[tuple[str, str], Mapping[str, str | None]],
    build: Mapping[str, Any],
) -> str:
    """Text of the README.md of a dataset that was converted to the published schema.

    Args:
        source: name of the source, free of paths.
        rows: by configuration and split.
        members: licence by character, by configuration and split.
        build: what its `build.json` holds.
    """
    counts = [
        [config, split, len(members[config, split]), count]
        for config, by_split in rows.items()
        for split, count in by_split.items()
    ]
    columns = [[f"`{name}`", _PUBLISHED_MEANINGS[name]] for name in PUBLISHED_COLUMNS]
    licenses = {i: license_ for characters in members.values() for i, license_ in characters.items()}
    stated = [[name or "not stated", count] for name, count in commonest(Counter(licenses.values()))]
    title = f"SPECSIA pairs of {source}, published schema"
    return f"""---
{front_matter(title, set(licenses.values()), rows)}---

# {title}

{TEASER_TEXT}

A dataset of specsia converted to the columns of the published SPECSIA-15K by `specsia convert --to published`. The
original's digest is `{build["converted"]["from"]["digest"]}`; `build.json` says how that was built.

{_loading(next(iter(rows)) if len(rows) > 1 else None)}
## What is in it

{table(["configuration", "split", "characters", "rows"], counts)}

{table(["column", "meaning"], columns)}

Splits, shards and the order of rows are the original's; `splits.json` lists the characters of each split.

## How it differs

- From the original: pictures are composited on (240, 240, 240), averaged as encoded, so that the alpha of `gt` is gone
  and that of `color` and `pos` is only in `mask`; `gt_mask`, `iou`, the boxes, the contours and the licence of each row
  are not in it.
- From the published set: `mask` is the silhouette of the reconstruction, there it is the ground truth's; the contour
  lies outside of the silhouette, there it is centred on it; positions are those of the original's `pos_frame`, there
  they are coloured after each view's turn; Y* and Z share one colour pipeline.

## Licences

{table(["licence", "characters"], stated)}{licence_warning(licenses.values())}

The dataset holds rendered pairs only: no mesh and no texture of a character.

## Check

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` what this schema lets one check.
"""
