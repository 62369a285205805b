"""Cards: what every layout's README.md states; texts are in card.yaml."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

import yaml

from specsia_build.backends.upstream import pins
from specsia_build.dataset.licences import commonest, license_fields, withheld
from specsia_build.dataset.schema import SPLITS, TEASER
from specsia_build.errors import plural
from specsia_build.layouts.part import Facts, Unit, Written

TEXTS = yaml.safe_load(Path(__file__).with_name("card.yaml").read_text(encoding="utf-8"))

_SIZES = {10**3: "n<1K", 10**4: "1K<n<10K", 10**5: "10K<n<100K", 10**6: "100K<n<1M", 10**7: "1M<n<10M"}


class Described(Protocol):
    """What a card says of a layout; see `Layout`."""

    name: ClassVar[str]
    version: ClassVar[int]
    title: ClassVar[str]
    loading: ClassVar[str]
    unit: ClassVar[Unit]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; no text can end its cell or row."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = [" ".join(str(value).split()).replace("|", "\\|") for value in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def asked_for(characters: int) -> str:
    """A clause with the number of characters that a build was asked for."""
    return f"{plural(characters, 'character')} {'was' if characters == 1 else 'were'} asked for"


def licences_text(licenses: Iterable[tuple[str | None, str | None]]) -> str:
    """A table of characters' licences and credit, and a warning if they forbid passing the dataset on."""
    counted = Counter(licenses)
    no = "not stated"
    rows = [(name or no, credit or no, count) for (name, credit), count in commonest(counted)]
    names = [name for name, _ in counted.elements()]
    warnings = [f"This dataset {reason}." for reason in withheld(names)]
    return "\n\n".join([table(["licence", "credit", "characters"], rows), *warnings])


def backend_note(backend: str, sees_ground_truth: bool) -> str:
    """A list item that describes a backend and its known artefacts."""
    note = TEXTS["backends"].get(backend, "a backend outside of this package; ask its author about it.")
    note = f"- `{backend}`: {note}{' It sees the ground truth.' if sees_ground_truth else ''}"
    if backend not in pins.NAMES:
        return note
    pinned = pins.read_pins(backend)
    weights = ", ".join(f"{w.source}@{w.revision}" if w.source else w.name for w in pinned.weights)
    written = f"was written against {pinned.repository} at `{pinned.commit}`"
    note += f" The bridge, version {pinned.version}, {written}"
    note += f" with the weights {weights}." if weights else "."
    return f"{note} **{pinned.limits}**" if pinned.limits else note


def _versions(versions: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def how_built(build: Mapping[str, Any]) -> str:
    """Versions and settings of a build record, the settings as YAML that `--config` accepts."""
    settings = yaml.safe_dump(dict(build["config"]), sort_keys=False, allow_unicode=True).rstrip()
    stages = _versions(build.get("stages", {}))
    packages = _versions(build.get("packages", {}))
    python = f"Python {build['python']} on {build['machine']}" if "python" in build else ""
    versions = [f"specsia {build['specsia']}", python, f"stages {stages}" if stages else "", packages]
    return f"{'; '.join(filter(None, versions))}. The settings:\n\n```yaml\n{settings}\n```"


def common_fields(name: str, licenses: Collection[str | None], count: int) -> dict[str, Any]:
    """Fields of every card: name, licences of the characters, and size by the number of rows or frames."""
    return {
        **license_fields(licenses),
        "pretty_name": name,
        "size_categories": [next((size for limit, size in _SIZES.items() if count < limit), "n>10M")],
        "task_categories": ["image-to-image"],
        "annotations_creators": ["machine-generated"],
        "tags": ["specsia", "3d", "animation", "novel-view", "characters"],
    }


@dataclass
class Counts:
    """Totals by split over the parts of a folder; split, and licence and credit, by character."""

    splits: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    characters: dict[str, str] = field(default_factory=dict)
    licenses: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)

    def add(self, part: Written) -> None:
        """Count one more part."""
        self.splits[part.split].update(
            parts=1,
            clips=len(part.clips),
            frames=part.facts.get("frames", 0),
            files=len(part.files),
            bytes=sum(size for size, _ in part.files.values()),
            left_out=part.facts.get("left_out", 0),
        )
        self.characters[part.character] = part.split
        self.licenses[part.character] = (part.license, part.credit)

    def total(self, name: str) -> int:
        """Sum of one of the numbers over the splits."""
        return sum(counts[name] for counts in self.splits.values())


def counted(parts: Iterable[Written]) -> Counts:
    """Totals over the parts of a folder."""
    counts = Counts()
    for part in parts:
        counts.add(part)
    return counts


def folder_card(layout: Described, counts: Counts, facts: Facts, pictured: bool) -> str:
    """Text of the README.md of a folder of files, which has a teaser if it is `pictured`."""
    reconstructed = f", reconstructed by {facts.backend}" if facts.backend else ""
    title = f"{layout.name} of {facts.source}{reconstructed}"
    fields = common_fields(title, {name for name, _ in counts.licenses.values()}, counts.total("frames"))
    # The files have their own loader; the Hub's viewer would misread them.
    fields |= {"tags": [*fields["tags"], layout.name], "viewer": False}
    picture = f"\n![Pictures of a few of them]({TEASER})\n" if pictured else ""
    moved = f"\n{TEXTS['moved']}\n\n{backend_note(facts.backend, False)}\n" if facts.backend else ""
    return f"""---
{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---

# {title}
{picture}
{layout.title[:1].upper()}{layout.title[1:]}.
{moved}
## Contents

{table(["split", "characters", "clips", "frames", "files", "MB"], _contents(counts))}

{asked_for(facts.planned)}; {_omitted(layout, counts, facts)}.
No character is in two splits, see `splits.json`. `parts.jsonl` lists each {layout.unit} with its \
character, licence and files.

## Loading

{layout.loading.strip()}

## How it was made

Layout {layout.name}, version {layout.version}; {how_built(facts.build)}

## Licences

{licences_text(counts.licenses.values())}

## Verification

`sha256sum -c SHA256SUMS` checks the files, `specsia verify .` also what they hold.
"""


def _contents(counts: Counts) -> Iterable[Sequence[object]]:
    characters = Counter(counts.characters.values())
    for split in filter(characters.get, SPLITS):
        number = counts.splits[split]
        numbers = [f"{number[name]:,}" for name in ("clips", "frames", "files")]
        yield split, characters[split], *numbers, f"{number['bytes'] / 1e6:,.1f}"


def _omitted(layout: Described, counts: Counts, facts: Facts) -> str:
    quarantined, frames = sum(facts.quarantined.values()), counts.total("left_out")
    omissions = []
    if quarantined:
        omissions.append(f"{quarantined:,} of the clips or characters quarantined")
    if facts.left_out:
        omissions.append(f"{plural(facts.left_out, layout.unit)} that the layout cannot take")
    if frames:
        omissions.append(f"{plural(frames, 'frame')} that the layout cannot take")
    return f"left out: {' and '.join(omissions)}" if omissions else "nothing was left out"
