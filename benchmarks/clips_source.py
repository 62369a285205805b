"""The characters of `make clips`: a procedural sample that no model was trained on, and one of a manifest.

python -m benchmarks.clips_source OUT --characters characters.jsonl --id kaykit_mage
"""

import shutil
from pathlib import Path

import click

from benchmarks.validation_source import manifest_lines, sample_line, write_manifest
from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import open_source
from specsia_build.errors import UsageError

SAMPLE = "sample:1@7"  # Samples of another seed than those that models are trained on


def write_source(folder: Path, characters: Path, character_id: str) -> Path:
    """Write a manifest with its two characters beside it, both of the test split; returns its path.

    The folder of the real one in the manifest `characters` is copied. Raises UsageError if it is not there.
    """
    (sample,) = open_source(SAMPLE, folder).entries
    provide(sample)
    real = next((line for line in manifest_lines(characters) if line["id"] == character_id), None)
    if real is None:
        raise UsageError(f"{characters} has no character '{character_id}'")
    path = characters.parent / real["path"]
    shutil.copytree(path.parent, folder / "real", dirs_exist_ok=True)
    copied = real | {"path": f"real/{path.name}", "split": "test"}
    return write_manifest(folder, [sample_line("sample", sample, folder, "test"), copied])


@click.command()
@click.argument("folder", metavar="OUT", type=click.Path(file_okay=False, path_type=Path))
@click.option("--characters", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--id", "character_id", default="kaykit_mage", show_default=True)
def main(folder: Path, characters: Path, character_id: str) -> None:
    """Write the manifest of `make clips` to OUT."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo(f"2 characters are in {write_source(folder, characters, character_id)}")


if __name__ == "__main__":
    main()
