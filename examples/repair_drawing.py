"""Turn a drawing into a film: python repair_drawing.py DRAWING [FOLDER]."""

import sys
from pathlib import Path

from PIL import Image

import specsia


def main(drawing: str, folder: str = "repaired-drawing") -> None:
    """Writes the film of a turn, four of its frames side by side, and the reconstruction as a GLB file."""
    repaired = specsia.repair(drawing, views=12)
    for warning in repaired.warnings:
        print(f"warning: {warning}")
    out = Path(folder)
    out.mkdir(parents=True, exist_ok=True)
    repaired.film(out / "turn.webp")

    frames = [Image.fromarray(frame).convert("RGBA") for frame in repaired.frames[::3]]
    sheet = Image.new("RGBA", (sum(frame.width for frame in frames), frames[0].height), "white")
    for number, frame in enumerate(frames):
        sheet.alpha_composite(frame, (number * frame.width, 0))
    sheet.save(out / "sheet.png")

    repaired.mesh.to_trimesh().export(out / "shape.glb")
    print(f"{len(repaired.frames)} frames of {drawing} are in {out}")


if __name__ == "__main__":
    main(*sys.argv[1:])
