"""Repair frames of another tool: python repair_frames.py RUN FRAMES [FOLDER].

FRAMES holds color/NAME.png (with alpha) and pos/NAME.png, as examples/make_pairs.py or your own renderer
writes them.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import specsia


def main(run: str, frames: str, folder: str = "repaired") -> None:
    """Writes each frame as the model of a run paints it."""
    model = specsia.load_model(run)
    Path(folder).mkdir(parents=True, exist_ok=True)
    names = sorted(path.name for path in (Path(frames) / "color").iterdir())
    for name in names:
        color = np.array(Image.open(Path(frames) / "color" / name).convert("RGBA"))
        pos = np.array(Image.open(Path(frames) / "pos" / name).convert("RGB"))
        Image.fromarray(model.enhance(color, pos)).save(Path(folder) / name)
    print(f"{len(names)} frames are repaired in {folder}")


if __name__ == "__main__":
    main(*sys.argv[1:])
