"""Make a dataset of your own characters: python own_characters.py CHARACTERS [FOLDER]."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import specsia


def main(characters: str = "sample:4", folder: str = "my-run", *options: str) -> None:
    """Builds and verifies a dataset, and prints how good the reconstructions of each character are."""
    command = [sys.executable, "-m", "specsia_build"]
    # Exit code 1 says that characters failed; the others are in the dataset all the same.
    built = subprocess.run([*command, "build", characters, "--out", folder, *options], check=False)
    dataset = Path(folder) / "dataset"
    if built.returncode not in (0, 1) or not dataset.is_dir():
        sys.exit(f"nothing was built of {characters}")
    subprocess.run([*command, "verify", str(dataset)], check=True, stdout=subprocess.DEVNULL)

    ious = defaultdict(list)
    for pair in specsia.open_dataset(str(dataset)):
        ious[pair.character_id].append(pair.iou or 0.0)
    for character, values in sorted(ious.items()):
        print(f"{character}: {len(values)} views, mean IoU {fmean(values):.3f}")
    print(f"the dataset of {len(ious)} characters is in {dataset}")


if __name__ == "__main__":
    main(*sys.argv[1:])
