"""A set in the published layout, drawn by its authors' rules and by nothing of this package.

A figure consists of ellipsoids, so that its outline, its surface and its boxes are known exactly. As in the
authors' scripts the figure is turned by minus the view's yaw before a fixed camera, which looks along +y and
spans 1.35 units; positions are coded over the box of the turned figure: R = x, G = y, B = z.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy
from numpy.typing import NDArray
from PIL import Image

SIZE, VIEWS, WIDTH, GREY = 160, 10, 1.35, 240

Array = NDArray[np.uint8]
Ball = tuple[Sequence[float], Sequence[float], Sequence[int]]  # Centre, half axes and colour of an ellipsoid
Pictures = dict[str, Array]  # `color`, `pos`, `gt` RGBA, `mask` and `edge` grey
Change = Callable[[str, Pictures], Pictures]


def figure(number: int) -> list[Ball]:
    """A body, a head, a nose, an arm and a tail, symmetric in no direction; faces -y."""
    thick = 0.02 * (number % 5)
    shade = 11 * (number % 7)
    return [
        ((0.0, 0.02, -0.1), (0.19 + thick, 0.14, 0.36), (200 - shade, 60, 40 + shade)),
        ((0.02, -0.03, 0.33), (0.14, 0.15 + thick, 0.14), (230, 190 - shade, 150)),
        ((0.03, -0.2, 0.32), (0.05, 0.06, 0.04), (30, 30, 30 + shade)),
        ((0.3, -0.02, 0.05), (0.17, 0.06, 0.07 + thick / 2), (40, 90 + shade, 200)),
        ((-0.06, 0.21, -0.25), (0.07, 0.14, 0.06), (90, 160, 60 + shade)),
        ((-0.25, 0.05, 0.0), (0.1, 0.08, 0.06), (160, 40 + shade, 140)),
    ]


def _turned(balls: Sequence[Ball], view: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Centre (3,) and matrix (3, 3) of each ellipsoid after the turn: p with |matrix (p - centre)| = 1."""
    yaw = 2 * np.pi * view / VIEWS
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return [(turn @ np.array(centre), np.diag(1 / np.array(axes)) @ turn.T) for centre, axes, _ in balls]


def box(balls: Sequence[Ball], view: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smallest and largest x, y, z of the turned figure."""
    lows, highs = [], []
    for centre, matrix in _turned(balls, view):
        reach = np.sqrt(np.diag(np.linalg.inv(matrix.T @ matrix)))
        lows.append(centre - reach)
        highs.append(centre + reach)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def surface(balls: Sequence[Ball], view: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Point (H, W, 3) after the turn that each pixel shows, and number of its ellipsoid; -1 without one."""
    half = (np.arange(SIZE) + 0.5) / SIZE * WIDTH - WIDTH / 2
    x, z = np.meshgrid(half, -half)
    depth, which = np.full(x.shape, np.inf), np.full(x.shape, -1)
    for number, (centre, matrix) in enumerate(_turned(balls, view)):
        start = np.stack([x - centre[0], np.zeros_like(x), z - centre[2]], axis=-1) @ matrix.T
        along = matrix[:, 1]
        a, b, c = along @ along, start @ along, (start * start).sum(axis=-1) - 1
        root = b * b - a * c
        near = centre[1] - (b + np.sqrt(np.maximum(root, 0))) / a
        hit = (root >= 0) & (near < depth)
        depth[hit], which[hit] = near[hit], number
    return np.stack([x, np.where(which >= 0, depth, 0), z], axis=-1), which


def edges(pos: Array) -> Array:
    """Black lines on white where the largest Sobel gradient of three channels exceeds 0.3."""
    strongest = np.zeros(pos.shape[:2])
    for channel in range(3):
        level = np.where(pos[..., 3] < 255, 2.0, pos[..., channel] / 255)
        across, down = (scipy.ndimage.sobel(level, axis, mode="mirror") for axis in (1, 0))
        strongest = np.maximum(strongest, np.hypot(across, down))
    return np.where(strongest > 0.3, 0, 255).astype(np.uint8)


def pictures(balls: Sequence[Ball], view: int) -> Pictures:
    """Pictures of a view as their scripts make them; Z is the figure, Y* the figure with a soft contour."""
    points, which = surface(balls, view)
    low, high = box(balls, view)
    shown = which >= 0
    colours = np.array([colour for _, _, colour in balls], np.uint8)
    alpha = np.where(shown, 255, 0).astype(np.uint8)
    codes = np.rint((points - low) / (high - low) * 255).clip(0, 255)
    # Blender dithers clear pixels, too.
    noise = np.random.default_rng(view).integers(0, 3, (SIZE, SIZE, 3))
    color = np.dstack([np.where(shown[..., None], colours[which], noise), alpha]).astype(np.uint8)
    pos = np.dstack([np.where(shown[..., None], codes, noise), alpha]).astype(np.uint8)
    distance = scipy.ndimage.distance_transform_edt(~shown)
    contour = np.clip((3.5 - distance) * 255, 0, 255).astype(np.uint8)
    gt = np.dstack([np.where(shown[..., None], colours[which], 0), np.where(shown, 255, contour)])
    gt = np.where(gt[..., 3:] > 0, gt, 0).astype(np.uint8)
    mask = np.where(gt[..., 3] >= 1, 255, 0).astype(np.uint8)
    return {"color": color, "pos": pos, "gt": gt, "mask": mask, "edge": edges(pos)}


def truth(balls: Sequence[Ball], view: int) -> Array:
    """Positions (H, W, 3) of this project's frame: R = x, G = z, B = -y over the box at rest."""
    points, _ = surface(balls, view)
    yaw = 2 * np.pi * view / VIEWS
    c, s = np.cos(yaw), np.sin(yaw)
    x, y = c * points[..., 0] - s * points[..., 1], s * points[..., 0] + c * points[..., 1]
    low, high = box(balls)
    shares = np.stack([x, points[..., 2], y], axis=-1) - low[[0, 2, 1]]
    shares /= (high - low)[[0, 2, 1]]
    shares[..., 2] = 1 - shares[..., 2]
    return np.rint(shares * 255).clip(0, 255).astype(np.uint8)


def on_grey(gt: Array) -> Array:
    """Y* on grey, rounded down."""
    share = gt[..., 3:].astype(np.float32) / 255
    return (gt[..., :3] * share + GREY * (1 - share)).astype(np.uint8)


def as_row(made: Mapping[str, Array]) -> Pictures:
    """Pictures of a row: their upload drops the alpha of Z."""
    edge = np.repeat(made["edge"][..., None], 3, axis=2)
    gt = on_grey(made["gt"])
    color, pos = (made[name][..., :3] for name in ("color", "pos"))
    return {"color": color, "pos": pos, "edge": edge, "mask": made["mask"], "gt": gt}


def encoded(image: Array) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(stream, "PNG")
    return stream.getvalue()


def same(uid: str, made: Pictures) -> Pictures:
    """No change."""
    return made


SPLITS = {"train": (3, 7), "validation": (12,), "test": (5,)}
"""Numbers of the characters of each split, sorted."""


def uids_of(numbers: Sequence[int], views: Sequence[int]) -> list[str]:
    return [f"{number}_{view:02d}" for number in numbers for view in views]


def view_of(uid: str) -> Pictures:
    number, view = uid.split("_")
    return pictures(figure(int(number)), int(view))


def write_rows(
    folder: Path,
    change: Change = same,
    views: Sequence[int] = range(VIEWS),
    splits: Mapping[str, Sequence[int]] = SPLITS,
) -> Path:
    """Write rows as `datasets` uploads them, `change` applied to the pictures of each; returns the folder."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    names = ("color", "pos", "edge", "mask", "gt")
    features = {"uid": {"dtype": "string", "_type": "Value"}} | {name: {"_type": "Image"} for name in names}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    fields = [("uid", pa.string()), *((name, image) for name in names)]
    (folder / "data").mkdir(parents=True)
    card = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split, numbers in splits.items():
        rows = []
        for uid in uids_of(numbers, views):
            made = change(uid, as_row(view_of(uid)))
            cells = {name: {"bytes": encoded(made[name]), "path": None} for name in names}
            rows.append({"uid": uid, **cells})
        table = pa.Table.from_pylist(rows, schema=pa.schema(fields, metadata=metadata))
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet", row_group_size=7)
        card += [f"  - split: {split}", f"    path: data/{split}-*"]
    (folder / "README.md").write_text("\n".join([*card, "---", ""]))
    return folder


def write_tree(folder: Path, change: Change = same, linked: bool = True) -> Path:
    """Write the folder tree; with `linked`, `char` leads to a tree beside it, as in the authors' output."""
    for uid in (uid for numbers in SPLITS.values() for uid in uids_of(numbers, range(VIEWS))):
        made = change(uid, view_of(uid))
        rest = folder / uid / "mesh" / "blender_render" / "rest_pose"
        char = folder.parent / "preprocessed" / uid / "char" if linked else folder / uid / "char"
        files = {rest / name / "0001.png": made[name] for name in ("color", "pos", "edge")}
        files |= {char / "texture.png": made["gt"], char / "mask.png": made["mask"]}
        files[char / "texture_with_bg.png"] = on_grey(made["gt"])
        for path, image in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded(image))
        if linked:
            (folder / uid / "char").symlink_to(char)
    write_lists(folder, SPLITS)
    return folder


def write_lists(folder: Path, splits: Mapping[str, Sequence[int]]) -> None:
    """Write the lists of a tree."""
    short = {"train": "train", "validation": "val", "test": "test"}
    (folder / "splits").mkdir(exist_ok=True)
    for split, name in short.items():
        uids = uids_of(splits[split], range(VIEWS))
        (folder / "splits" / f"{name}_uids.json").write_text(json.dumps(uids, indent=2))
    characters = {name: [str(number) for number in splits[split]] for split, name in short.items()}
    (folder / "splits" / "split_chars.json").write_text(json.dumps({"seed": 42, **characters}))
