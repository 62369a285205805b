"""BasicPBC's own training on a folder of the recipe `paintbucket`: whether its loss falls.

    VENV/bin/python -m benchmarks.basicpbc FOLDER CHECKOUT [--iterations 300]

FOLDER is the recipe's, CHECKOUT is of https://github.com/ykdai/BasicPBC, and VENV is that of `benchmarks.loaders`,
which says how it is made; on a CPU that has other work, OMP_NUM_THREADS=1 is faster. `basicsr/train.py` runs as it is
by its option file, made as small as a CPU needs: crops of 256 pixels, encoded at 64, flow at 128, no CLIP. It writes
into a scratch folder, and the checkout stays as it was. What it would load from elsewhere is put beside it there:

- RAFT's weights are ones that find nothing to have moved, so that the colours of the frame before stay where they are.
- Where torchscatter_mean is not installed, or torchvision's compiled operations do not fit the installed torch, the one
  function of each that is called is put together of torch's own, with the same result.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import torch
import yaml

OPTIONS = "options/train/basicpbc_pbch_train_option.yml"
RAFT = "raft/ckpt/raft-animerun-v2-ft_again.pth"
CROP, RESIZE = 256, 320
NETWORK = {"use_clip": False, "raft_resolution": [128, 128], "encoder_resolution": [64, 64]}
STEP = 50
LINE = re.compile(r"iter:\s*([\d,]+),.* acc: (\S+) .*loss_total: (\S+)")


def scatter_mean(src: torch.Tensor, index: torch.Tensor, reduce: str) -> torch.Tensor:
    """The mean of the last axis by index, as torchscatter_mean's."""
    assert reduce == "mean"
    out = src.new_zeros(*src.shape[:-1], int(index.max()) + 1)
    return out.scatter_reduce(-1, index.expand_as(src), src, reduce, include_self=False)


def deformed(
    picture: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    padding: int,
    mask: torch.Tensor | None,
) -> torch.Tensor:
    """A convolution whose taps are moved, as torchvision's: offsets down and right of each tap in turn."""
    (height, width), (rows, columns) = picture.shape[-2:], weight.shape[-2:]
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    taps = []
    for tap in range(rows * columns):
        y = row - padding + tap // columns + offset[:, 2 * tap]
        x = column - padding + tap % columns + offset[:, 2 * tap + 1]
        places = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], dim=-1)
        taps.append(torch.nn.functional.grid_sample(picture, places, align_corners=True))
    seen = torch.stack(taps, dim=2) * (1 if mask is None else mask[:, None])
    out = torch.einsum("nckhw,ock->nohw", seen, weight.flatten(2))
    return out if bias is None else out + bias[:, None, None]


def _fit_torchvision() -> None:
    vision = importlib.import_module("torchvision")
    if not vision.extension._has_ops():
        vision.ops.deform_conv2d = lambda *, input, **rest: deformed(input, **rest)
        click.echo("torchvision's compiled operations do not fit: a stand-in takes their place")


def _stand_in(name: str, **attributes: Any) -> None:
    if importlib.util.find_spec(name) is None:
        for module in (name, f"{name}.scatter"):
            sys.modules[module] = ModuleType(module)
            vars(sys.modules[module]).update(attributes)
        click.echo(f"{name} is not installed: a stand-in takes its place")


def _small(options: dict[str, Any], folder: Path, iterations: int) -> dict[str, Any]:
    train = options["datasets"]["train"]
    augmented = {**train["aug_params"], "crop": CROP, "resize": RESIZE}
    root = f"{folder.resolve() / 'train' / 'PaintBucket_Char'}/"
    train = {**train, "root": root, "aug_params": augmented, "num_worker_per_gpu": 1}
    return {
        **{key: value for key, value in options.items() if key != "val"},
        "num_gpu": 0,
        "datasets": {"train": train},
        "network_g": {**options["network_g"], **NETWORK},
        "train": {**options["train"], "total_iter": iterations, "ema_decay": 0},
        "logger": {**options["logger"], "print_freq": 1, "use_tb_logger": False},
    }


def _still_raft(path: Path) -> None:
    raft = importlib.import_module("raft.raft").RAFT({"mixed_precision": False, "small": False})
    for parameter in raft.update_block.flow_head.conv2.parameters():
        torch.nn.init.zeros_(parameter)
    path.parent.mkdir(parents=True)
    torch.save(raft.state_dict(), path)


def curve_of(log: str) -> list[tuple[int, float, float]]:
    """Iteration, loss and share of segments that are matched right."""
    rows = [found.groups() for found in map(LINE.search, log.splitlines()) if found]
    return [(int(at.replace(",", "")), float(loss), float(acc)) for at, acc, loss in rows]


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.argument("checkout", type=click.Path(path_type=Path, exists=True))
@click.option("--iterations", default=300)
@click.option("--out", type=click.Path(path_type=Path), help="JSON of every iteration.")
def main(folder: Path, checkout: Path, iterations: int, out: Path | None) -> None:
    """Train, and print the loss in steps."""
    sys.path.insert(0, str(checkout.resolve()))
    _stand_in("torchscatter_mean", scatter=scatter_mean)
    _stand_in("open_clip")
    _fit_torchvision()
    options = _small(yaml.safe_load((checkout / OPTIONS).read_text(encoding="utf-8")), folder, iterations)
    out = None if out is None else out.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        Path("small.yml").write_text(yaml.safe_dump(options), encoding="utf-8")
        _still_raft(Path(RAFT))
        sys.argv = ["train.py", "-opt", "small.yml"]
        importlib.import_module("basicsr.train").train_pipeline(scratch)
        (log,) = Path(scratch).glob("experiments/*/train_*.log")
        curve = curve_of(log.read_text(encoding="utf-8"))
        os.chdir(checkout)
    if out is not None:
        out.write_text(json.dumps(curve), encoding="utf-8")
    click.echo("| iterations | loss | segments matched |\n|---|---|---|")
    for start in range(0, len(curve), STEP):
        losses, shares = zip(*(row[1:] for row in curve[start : start + STEP]), strict=True)
        at = f"{start + 1}-{start + len(losses)}"
        click.echo(f"| {at} | {sum(losses) / len(losses):.3f} | {sum(shares) / len(shares):.1%} |")


if __name__ == "__main__":
    main()
