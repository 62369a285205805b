"""Measure how well joints are found: ``python -m benchmarks.joints MANIFEST... [--drawings FOLDER]``.

Characters with rigs are drawn from the front at rest. Errors are in shares of the figure's height; hips are
the middle between the upper legs. Of manifests that state splits, only `test` is measured.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw

from specsia_build.arrays import Pixels
from specsia_build.characters.character import Entry
from specsia_build.characters.sources import read_manifest
from specsia_build.errors import SpecsiaError
from specsia_build.pictures.films import over
from specsia_build.repairing.drawing import DrawingSettings, read_drawing
from specsia_build.rigging.examples import pictures_of
from specsia_build.rigging.find import find_joints
from specsia_build.rigging.joints import JOINTS, OTHER_SIDE, Joints

FAR = 0.1  # Share of the height beyond which a joint is lost
NOT_PEOPLE = {"animal_alpaca": "four-legged"} | dict.fromkeys(
    ("dino_trex", "enemy_frog", "mech_mike"), "other"
)
CHAINS = [["hips", "spine", "chest", "upperChest", "neck", "head"]]
for _side in ("left", "right"):
    CHAINS.append([_side + part for part in ("Shoulder", "UpperArm", "LowerArm", "Hand")])
    CHAINS.append([_side + part for part in ("UpperLeg", "LowerLeg", "Foot", "Toes")])


def squared(picture: Pixels) -> Pixels:
    """A picture (H, W, 4) with transparent columns or rows after it, so that it is square."""
    height, width = picture.shape[:2]
    size = max(height, width)
    return np.pad(picture, ((0, size - height), (0, size - width), (0, 0)))


def errors_of(entry: Entry) -> tuple[np.ndarray, int, Joints]:
    """Errors (22,) in shares of the height, the number of swapped pairs, and what was found."""
    picture = next(iter(pictures_of(entry, 0, 1)), None)
    if picture is None:
        raise SpecsiaError(f"{entry.id} has no rig of a person")
    found = find_joints(squared(picture.color))
    truth = picture.joints[:, :2]
    height = np.ptp(np.nonzero((picture.color[..., 3] > 127).any(axis=1))[0]) + 1
    error = np.linalg.norm(found.pixels - truth, axis=1) / height
    other = np.linalg.norm(found.pixels[list(OTHER_SIDE)] - truth, axis=1) / height
    pairs = error + error[list(OTHER_SIDE)] > other + other[list(OTHER_SIDE)]
    return error, int(pairs.sum()) // 2, found


def measured(entries: tuple[Entry, ...]) -> Iterator[tuple[np.ndarray, int, bool]]:
    for entry in entries:
        if entry.split not in (None, "test"):
            continue
        if entry.id in NOT_PEOPLE:
            found = find_joints(squared(next(iter(pictures_of(entry, 2, 1))).color))
            click.echo(f"{entry.id:32} {found.kind} {found.certainty:.2f}, is {NOT_PEOPLE[entry.id]}")
            yield np.full(len(JOINTS), np.nan), 0, found.kind == NOT_PEOPLE[entry.id]
            continue
        try:
            error, swapped, found = errors_of(entry)
        except SpecsiaError as problem:
            click.echo(f"{entry.id:32} {problem}")
            continue
        worst = JOINTS[int(np.nanargmax(error))]
        text = f"mean {np.nanmean(error):.4f}, largest {np.nanmax(error):.3f} ({worst}), swapped {swapped}"
        click.echo(f"{entry.id:32} {text}, {found.kind} {found.certainty:.2f}")
        yield error, swapped, found.kind == "person"


def described(joints: Joints) -> str:
    return f"{joints.kind} {joints.certainty:.2f}, sure {joints.confidence.mean():.2f}"


def with_bones(picture: Pixels, joints: Joints) -> Image.Image:
    """A picture on white with the skeleton: left red, right blue, the middle green."""
    image = Image.fromarray(over(picture, 255))
    draw = ImageDraw.Draw(image)
    at = {name: tuple(place) for name, place in zip(JOINTS, joints.pixels.tolist(), strict=True)}
    for chain in CHAINS:
        colour = {"l": "red", "r": "blue"}.get(chain[-1][0], "green")
        draw.line([at[name] for name in chain], fill=colour, width=max(2, len(picture) // 150))
    draw.text((4, 4), described(joints), fill="black")
    return image


@click.command()
@click.argument("manifests", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--drawings", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for drawn skeletons.")
def main(manifests: tuple[Path, ...], drawings: Path | None, out: Path | None) -> None:
    """Print errors for each character and their mean, and write the skeletons of drawings."""
    for manifest in manifests:
        rows = list(measured(read_manifest(manifest)))
        error = np.array([row[0] for row in rows])
        known = error[~np.isnan(error)]
        share, right = (known < FAR).mean(), sum(row[2] for row in rows)
        click.echo(f"{manifest.name}: mean {known.mean():.4f} of the height, {share:.1%} within {FAR:.0%}")
        click.echo(f"  {sum(row[1] for row in rows)} pairs swapped, kind right for {right} of {len(rows)}")
        means = {name: f"{mean:.3f}" for name, mean in zip(JOINTS, np.nanmean(error, axis=0), strict=True)}
        click.echo(f"  {means}")
    for path in sorted(drawings.glob("*.png")) if drawings else ():
        try:
            front = read_drawing(path, DrawingSettings())
        except SpecsiaError as problem:
            click.echo(f"{path.name:24} {problem}")
            continue
        joints = find_joints(front.color)
        click.echo(f"{path.name:24} {described(joints)}")
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            with_bones(front.color, joints).save(out / path.name)


if __name__ == "__main__":
    main()
