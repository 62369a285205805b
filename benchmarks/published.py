"""A dry run of the published rows at full size: ``python -m benchmarks.published [CHARACTERS]``.

Writes 1,498 characters with 10 views of stub pictures by the layout `specsia-15k-rows`, and prints one JSON
document: shards and rows of each split, whether the splits are those that the release's script draws,
seconds, and the memory of the process at its start, after a tenth of the shards and at its peak.
"""

import hashlib
import json
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from specsia_build import __version__, png
from specsia_build.dataset import schema, splits
from specsia_build.dataset.layers import frame_file
from specsia_build.dataset.reading import open_dataset
from specsia_build.layouts.packing import PackTarget, pack
from specsia_build.layouts.part import Facts, Member, Part, Pictures
from specsia_build.layouts.specsia_15k_rows import Specsia15KRows
from specsia_build.layouts.writing import PartDone, PartTask, write_part
from specsia_build.published.ids import numbered, split_lists

VIEWS, SIZE = 10, 16

MEMORY: list[float] = []  # Peaks of memory in MB as they come

CHARACTERS_DIGEST = "7270dc7e07493f04"
"""First digits of the SHA-256 of the `split_chars.json` that the release's script writes for 0 to 1497."""


def member(character: str) -> Member:
    """Summary of a character without anything but its views."""
    nothing: dict[str, Any] = dict.fromkeys(Member.__struct_fields__)
    of_views = {"id": character, "character": character, "digest": character, "rows": VIEWS}
    return Member(**(nothing | of_views))


def pictures(of: Member) -> Pictures:
    """Views of noise that differs from character to character."""
    noise = np.random.default_rng(int(of.id)).integers(1, 255, (SIZE, SIZE, 4), dtype=np.uint8)
    layers = (schema.COLOR, schema.POS, schema.GT)
    encoded = png.encode(noise)
    files = {frame_file(layer, view): encoded for layer in layers for view in range(VIEWS)}
    row = {"bbox_min": [-0.5, -0.5, -0.5], "bbox_max": [0.5, 0.5, 0.5]}
    yaws = [360 / VIEWS * view for view in range(VIEWS)]
    return Pictures({"yaws": yaws, "rows": [row] * VIEWS}, files)


def peak_mb() -> float:
    """Largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def write_here(tasks: Sequence[PartTask]) -> Generator[tuple[int, PartDone], None, None]:
    """Write parts one after another in this process, and note its memory after a tenth of them."""
    for number, task in enumerate(tasks):
        yield number, write_part(task)
        if number == len(tasks) // 10:
            MEMORY.append(peak_mb())


@click.command(help=__doc__)
@click.argument("characters", type=int, default=splits.PUBLISHED_CHARACTERS)
def main(characters: int) -> None:
    """See the module."""
    ids = [str(number) for number in range(characters)]
    members, split_of = [member(i) for i in ids], splits.assign(ids, {})
    MEMORY.append(peak_mb())
    start = time.perf_counter()
    layout, parts, shards = Specsia15KRows(), list[tuple[Part, str]](), Counter[str]()
    for key, group, options in layout.group(members, split_of):
        part = Part(key, split_of[group[0].character], tuple(group), options, pictures)
        parts.append((part, layout.fingerprint(part)))
        shards[part.split] += 1
    facts = Facts({"specsia": __version__, "config": {}}, "stubs", characters, {}, split_of, members)
    with tempfile.TemporaryDirectory(prefix="specsia-published-") as folder:
        target = PackTarget(layout, Path(folder) / "rows", Path(folder) / "state.jsonl")
        pack(target, parts, write_here, facts)
        rows = open_dataset(target.folder).splits(schema.DEFAULT_CONFIG)
    lists = dict(split_lists(split_of, dict.fromkeys(ids, VIEWS), numbered(ids)))
    digest = hashlib.sha256(lists["splits/split_chars.json"].encode()).hexdigest()
    report = {
        "shards": dict(shards),
        "rows": dict(rows),
        "splits as published": digest.startswith(CHARACTERS_DIGEST),
        "seconds": round(time.perf_counter() - start, 1),
        "MB at start, after a tenth, at peak": [round(each) for each in (*MEMORY, peak_mb())],
    }
    click.echo(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
