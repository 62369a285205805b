"""The characters of `make validate` and `make pretrained`: samples and real ones in one manifest.

python -m benchmarks.validation_source OUT --samples 60 --characters characters.jsonl
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from specsia_build.characters.character import Entry
from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import DEFAULT_SAMPLE_SEED, open_source, read_manifest
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes

HELD_OUT = ("kaykit_mage", "kenney_character", "quaternius_female_dress", "quaternius_male_casual")
"""Characters of the test split where their line names none: a maker whom training never sees, and others."""

# One of so many samples is in validation, and one in test where no real character is; at least one each
SHARE = 20

_PATHS = ("path", "texture", "drawing")


def manifest_lines(manifest: Path) -> list[dict[str, Any]]:
    """The lines of a manifest of JSON lines."""
    text = manifest.read_text(encoding="utf-8-sig")
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def sample_line(name: str, entry: Entry, folder: Path, split: str) -> dict[str, Any]:
    """The line of a sample that lies below the manifest's folder."""
    line = {"id": name, "path": entry.path.relative_to(folder).as_posix(), "split": split}
    return line | {"license": entry.license, "source": entry.source}


def write_manifest(folder: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """Write a manifest into a folder; returns its path."""
    path = folder / "characters.jsonl"
    write_bytes(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    return path


def _sample_lines(folder: Path, count: int, seed: int, tested: bool) -> list[dict[str, Any]]:
    entries = open_source(f"sample:{count}@{seed}", folder).entries
    family = "sample" if seed == DEFAULT_SAMPLE_SEED else f"sample-{seed}"
    held = max(1, count // SHARE)
    test = held if tested else 0
    lines = []
    for number, entry in enumerate(entries):
        provide(entry)
        split = "test" if number < test else "validation" if number < test + held else "train"
        lines.append(sample_line(f"{family}-{entry.id}", entry, folder, split))
    return lines


def _real_lines(folder: Path, manifest: Path, licence: str | None) -> list[dict[str, Any]]:
    read_manifest(manifest)
    copy = folder / "real"
    if copy.resolve().is_relative_to(manifest.parent.resolve()):
        problem = f"{folder} lies in the folder of {manifest}, all of which is copied there"
        raise UsageError(f"{problem}: put one elsewhere")
    shutil.copytree(manifest.parent, copy, dirs_exist_ok=True)
    lines = manifest_lines(manifest)
    for line in lines:
        line |= {key: f"{copy.name}/{line[key]}" for key in _PATHS if line.get(key)}
        line["split"] = line.get("split") or ("test" if line["id"] in HELD_OUT else "train")
    return [line for line in lines if licence is None or line.get("license") == licence]


def write_source(
    folder: Path,
    samples: int,
    characters: Path | None,
    seed: int = DEFAULT_SAMPLE_SEED,
    licence: str | None = None,
) -> Path:
    """Write a manifest with its characters beside it; returns its path.

    Of the samples a twentieth is in validation, and as many in test if no real character is. The manifest
    `characters` of real ones is copied with all that lies in its folder; a line's own `split` counts, else
    those of `HELD_OUT` are in test and the others in train. Raises UsageError if it cannot be read, or
    `folder` lies within its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    real = [] if characters is None else _real_lines(folder, characters, licence)
    is_tested = any(line["split"] == "test" for line in real)
    return write_manifest(folder, _sample_lines(folder, samples, seed, not is_tested) + real)


@click.command()
@click.argument("folder", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--samples", default=60, show_default=True, type=click.IntRange(3))
@click.option(
    "--characters", type=click.Path(dir_okay=False, path_type=Path), help="Left out where it is not there."
)
@click.option(
    "--seed", default=DEFAULT_SAMPLE_SEED, show_default=True, type=click.IntRange(0), help="Of the samples."
)
@click.option(
    "--license", "licence", metavar="SPDX", help="Of the real characters that are taken.  [default: all]"
)
def main(folder: Path, samples: int, characters: Path | None, seed: int, licence: str | None) -> None:
    """Write the manifest of `make validate` or `make pretrained` to OUT."""
    there = characters is not None and os.path.lexists(characters)
    path = write_source(folder, samples, characters if there else None, seed, licence)
    count, note = len(manifest_lines(path)), "" if there else ", no real ones"
    click.echo(f"{count} characters are in {path}{note}")


if __name__ == "__main__":
    main()
