"""The characters of `make clips`: a procedural sample that no model was trained on, and one of a manifest.

python -m benchmarks.clips_source OUT --characters characters.jsonl --id kaykit_mage
"""

import json
import shutil
from pathlib import Path

import click

from specsia_build.characters.samples.write import provide
from specsia_build.characters.sources import open_source
from specsia_build.errors import UsageError
from specsia_build.files.writing import write_bytes

SAMPLE = "sample:1@7"  # Samples of another seed than those that models are trained on


def write_source(folder: Path, characters: Path, character_id: str) -> Path:
    """Write a manifest with its two characters beside it, both of the test split.

    Args:
        folder: of the manifest.
        characters: manifest of the real one.
        character_id: of it; its folder is copied.

    Returns:
        The manifest.

    Raises:
        UsageError: if the manifest has no such character.
    """
    (sample,) = open_source(SAMPLE, folder).entries
    provide(sample)
    lines = [
        json.loads(line) for line in characters.read_text(encoding="utf-8-sig").splitlines() if line.strip()
    ]
    real = next((line for line in lines if line["id"] == character_id), None)
    if real is None:
        raise UsageError(f"{characters} has no character '{character_id}'")
    path = characters.parent / real["path"]
    shutil.copytree(path.parent, folder / "real", dirs_exist_ok=True)
    both = [
        {
            "id": "sample",
            "path": sample.path.relative_to(folder).as_posix(),
            "license": sample.license,
            "source": sample.source,
            "split": "test",
        },
        real | {"path": f"real/{path.name}", "split": "test"},
    ]
    manifest = folder / "characters.jsonl"
    write_bytes(manifest, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in both).encode())
    return manifest


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
