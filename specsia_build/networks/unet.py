"""The U-net that `relief` and DraViE's `tiny` share.

Kernels are named as in a checkpoint: `first.0` and `first.2`; `down.K.0`, of stride 2, and `down.K.2` of each
level below; `up.K.0` and `up.K.2` on the way back, which also see the features of their level; and `head`.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from specsia_build.arrays import Floats
from specsia_build.networks.convolution import Kernel, bordered, convolved, kernel_of

Kernels = Mapping[str, Kernel]


def read_tensors(path: Path) -> dict[str, Floats]:
    """Tensors of a safetensors file by name, as float32."""
    return {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}


def layers_of(tensors: Mapping[str, Floats]) -> Kernels:
    """Kernels of a U-net from its tensors `NAME.weight` (3, 3, in, out) and `NAME.bias` (out,)."""
    names = [name.removesuffix(".weight") for name in tensors if name.endswith(".weight")]
    return {name: kernel_of(tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in names}


def run(x: Floats, layers: Kernels) -> Floats:
    """Run a U-net on x (H, W, C) float32: outputs of its head (H, W, D) float32.

    H and W are multiples of 2 to the power of the levels below the first.
    """
    depth = sum(name.startswith("down.") and name.endswith(".0") for name in layers)
    _, back = features(x, layers, depth, depth)
    return convolved(back[-1], layers["head"], leak=1.0)[1:-1, 1:-1]


def features(x: Floats, layers: Kernels, depth: int, ups: int) -> tuple[list[Floats], list[Floats]]:
    """Features with borders on the way down through a U-net of `depth` levels, and in `ups` steps back."""
    seen = bordered(*x.shape)
    seen[1:-1, 1:-1] = x
    levels = [twice(seen, layers, "first")]
    for level in range(depth):
        levels.append(twice(levels[-1], layers, f"down.{level}", 2))
    back = [levels[-1]]
    for level in range(ups):
        back.append(twice(joined(back[-1], levels[depth - 1 - level]), layers, f"up.{level}"))
    return levels, back


def twice(x: Floats, layers: Kernels, name: str, stride: int = 1) -> Floats:
    """Two convolutions of `layers`, `NAME.0` with a stride and `NAME.2`, of features with borders."""
    return convolved(convolved(x, layers[f"{name}.0"], stride), layers[f"{name}.2"])


def joined(low: Floats, high: Floats) -> Floats:
    """Channels of features of half the size, each pixel as four, and of a level's own, all with borders."""
    height, width = high.shape[0] - 2, high.shape[1] - 2
    own = low.shape[2]
    out = bordered(height, width, own + high.shape[2])
    for row in (1, 2):
        for column in (1, 2):
            out[row:-1:2, column:-1:2, :own] = low[1:-1, 1:-1]
    out[1:-1, 1:-1, own:] = high[1:-1, 1:-1]
    return out
