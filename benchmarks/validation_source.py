"""The characters of `make validate` and `make pretrained`, samples and real ones in one manifest, some held
out.

python -m benchmarks.validation_source OUT --samples 60 --characters characters.jsonl
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import click

from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import DEFAULT_SAMPLE_SEED, open_source, read_manifest
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes

HELD_OUT = ("kaykit_mage", "kenney_character", "quaternius_female_dress", "quaternius_male_casual")
"""Characters of the test split where their line names none: a maker that training never sees, and one of each
kind of another's."""

# One of so many samples is in validation, and one in test where no real character is; at least one each
SHARE = 20

MANIFEST = "characters.jsonl"

_PATHS = ("path", "texture", "drawing")


def _sample_lines(folder: Path, count: int, seed: int, tested: bool) -> list[dict[str, Any]]:
    entries = open_source(f"sample:{count}@{seed}", folder).entries
    family = "sample" if seed == DEFAULT_SAMPLE_SEED else f"sample-{seed}"
    held = max(1, count // SHARE)
    test = held if tested else 0
    lines = []
    for number, entry in enumerate(entries):
        provide(entry)
        split = "test" if number < test else "validation" if number < test + held else "train"
        lines.append(
            {
                "id": f"{family}-{entry.id}",
                "path": entry.path.relative_to(folder).as_posix(),
                "split": split,
                "license": entry.license,
                "source": entry.source,
            }
        )
    return lines


def _real_lines(folder: Path, manifest: Path, licence: str | None) -> list[dict[str, Any]]:
    read_manifest(manifest)
    copy = folder / "real"
    if copy.resolve().is_relative_to(manifest.parent.resolve()):
        raise UsageError(
            f"{folder} lies in the folder of {manifest}, all of which is copied there: put one elsewhere"
        )
    shutil.copytree(manifest.parent, copy, dirs_exist_ok=True)
    lines = [
        json.loads(line) for line in manifest.read_text(encoding="utf-8-sig").splitlines() if line.strip()
    ]
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
    """Write a manifest with its characters beside it.

    Args:
        folder: of the manifest.
        samples: procedural characters, a twentieth of them in validation, and as many in test if no real one
            is.
        characters: manifest of real ones, copied with all that lies in its folder; a line's own `split`
            counts, else those of `HELD_OUT` are in test and the others in train.

    Returns:
        The manifest.

    Raises:
        UsageError: if the manifest of real characters cannot be read, or `folder` lies within its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    real = [] if characters is None else _real_lines(folder, characters, licence)
    lines = _sample_lines(folder, samples, seed, all(line["split"] != "test" for line in real)) + real
    path = folder / MANIFEST
    write_bytes(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode())
    return path


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
    click.echo(
        f"{len(path.read_text().splitlines())} characters are in {path}" + ("" if there else ", no real ones")
    )


if __name__ == "__main__":
    main()
