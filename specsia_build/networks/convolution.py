"""Convolution of 3 x 3 pixels with a leaky rectifier, in float32, by explicit vectors.

Sums of a tile of pixels and channels stay in registers. Each begins with the bias and continues by row,
column and channel of the input; a product and its sum are rounded once, as by `fma` of IEEE 754. So neither
the tile nor the vectors that a processor has change the result.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from specsia_build.arrays import Floats
from specsia_build.jit import compiled, intrinsic, ready, types
from specsia_build.rendering.fast.lanes import LONG, floats, spread

LEAK = 0.2  # Slope below 0 of the leaky rectifier after each convolution but a network's last
BLOCK = 16  # Channels in a vector, and in a tile
TILE_WIDTH = 6  # Neighbouring pixels of a row in a tile: their sums just fit in the registers of AVX2


class Kernel(NamedTuple):
    """A convolution's weights, in the order in which they are used."""

    # (B, 9 * in + 1, `BLOCK`) float32: for each block of channels the bias, and the weights by row, column
    # and channel of the input; 0 beyond the last channel
    packed: Floats
    outputs: int  # Number of channels of the result


def kernel_of(weight: Floats, bias: Floats) -> Kernel:
    """Pack the weights (3, 3, in, out) and the bias (out,) of a convolution."""
    outputs = len(bias)
    rows = np.concatenate([bias[None], weight.reshape(-1, outputs)]).astype(np.float32)
    padded = np.pad(rows, ((0, 0), (0, -outputs % BLOCK)))
    return Kernel(ready(padded.reshape(len(rows), -1, BLOCK).swapaxes(0, 1)), outputs)


def bordered(height: int, width: int, channels: int) -> Floats:
    """An array (height + 2, width + 2, channels) float32, 0 in its border of one pixel and unset inside."""
    out = np.empty((height + 2, width + 2, channels), np.float32)
    out[[0, -1]] = 0
    out[:, [0, -1]] = 0
    return out


def convolved(x: Floats, kernel: Kernel, stride: int = 1, leak: float = LEAK) -> Floats:
    """Convolution of x (H + 2, W + 2, C) float32, contiguous, with its border, and the leaky rectifier.

    Returns (H / stride + 2, W / stride + 2, `kernel.outputs`) float32 with a border of 0. H and W are
    multiples of the stride, 1 or 2.
    """
    height, width = (x.shape[0] - 2) // stride, (x.shape[1] - 2) // stride
    lacking = max(0, TILE_WIDTH - width)
    if lacking:
        x = np.pad(x, ((0, 0), (0, lacking * stride), (0, 0)))
    out = bordered(height, width + lacking, kernel.outputs)
    _convolve(x, kernel.packed, out, stride, np.float32(leak))
    if lacking:
        out = ready(out[:, : width + 2])
        out[:, -1] = 0
    return out


def _vector(builder: Any, array: Any, index: Any) -> Any:
    return builder.bitcast(builder.gep(array, [index]), floats(BLOCK).as_pointer())


def _fused(builder: Any, value: Any, weight: Any, total: Any) -> Any:
    """Return ``value * weight + total`` of vectors, rounded once."""
    from numba.core.cgutils import get_or_insert_function

    signature = ir.FunctionType(total.type, [total.type] * 3)
    fma = get_or_insert_function(builder.module, signature, f"llvm.fma.v{BLOCK}f32")
    return builder.call(fma, [value, weight, total])


def _store(builder: Any, vector: Any, out: Any, index: Any, count: Any) -> None:
    """Write the first `count` lanes of a vector, which may be more than it has."""
    from numba.core.cgutils import alloca_once, for_range

    part = alloca_once(builder, floats(BLOCK))
    lanes = builder.bitcast(part, ir.FloatType().as_pointer())
    with builder.if_else(builder.icmp_signed(">=", count, ir.Constant(LONG, BLOCK))) as (whole, partly):
        with whole:
            builder.store(vector, _vector(builder, out, index), align=4)
        with partly:
            builder.store(vector, part)
            with for_range(builder, count) as lane:
                value = builder.load(builder.gep(lanes, [lane.index]))
                builder.store(value, builder.gep(out, [builder.add(index, lane.index)]))


@intrinsic
def _tile(typing: Any, arrays: Any, first: Any, steps: Any, leak: Any) -> Any:
    """``_tile((x, packed, out), first, steps, leak)``: compute `TILE_WIDTH` pixels by `BLOCK` channels.

    `first` are flat indices of its first input, weight and output. `steps` are the inputs of three pixels, of
    a row and from a pixel to the next, the outputs from a pixel to the next, and the number of channels to
    write.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.core.cgutils import alloca_once, for_range, unpack_tuple

        kinds, values = signature.args[0], unpack_tuple(builder, arguments[0])
        arrays = zip(kinds, values, strict=True)
        x, packed, out = (context.make_array(kind)(context, builder, value).data for kind, value in arrays)
        x_at, packed_at, out_at = unpack_tuple(builder, arguments[1])
        run, x_row, x_step, out_step, count = unpack_tuple(builder, arguments[2])
        slope, zero = spread(builder, arguments[3], BLOCK), ir.Constant(floats(BLOCK), [0.0] * BLOCK)

        def weights_at(row: Any) -> Any:
            start = builder.add(packed_at, builder.mul(row, ir.Constant(LONG, BLOCK)))
            return builder.load(_vector(builder, packed, start), align=4)

        sums = [alloca_once(builder, floats(BLOCK)) for _ in range(TILE_WIDTH)]
        bias = weights_at(ir.Constant(LONG, 0))
        for total in sums:
            builder.store(bias, total)
        with for_range(builder, ir.Constant(LONG, 3)) as row:
            row_at = builder.add(x_at, builder.mul(row.index, x_row))
            before = builder.add(builder.mul(row.index, run), ir.Constant(LONG, 1))
            with for_range(builder, run) as tap:
                weights = weights_at(builder.add(before, tap.index))
                value_at = builder.add(row_at, tap.index)
                for total in sums:
                    value = spread(builder, builder.load(builder.gep(x, [value_at])), BLOCK)
                    value_at = builder.add(value_at, x_step)
                    builder.store(_fused(builder, value, weights, builder.load(total)), total)
        for total in sums:
            value = builder.load(total)
            positive = builder.fcmp_ordered(">", value, zero)
            value = builder.select(positive, value, builder.fmul(value, slope))
            _store(builder, value, out, out_at, count)
            out_at = builder.add(out_at, out_step)
        return context.get_dummy_value()

    three, five = types.UniTuple(types.int64, 3), types.UniTuple(types.int64, 5)
    return types.void(arrays, three, five, types.float32), generate


@compiled
def _convolve(x, packed, out, stride, leak):  # type: ignore[no-untyped-def]
    """Fill the inside of `out` (h + 2, w + 2, D) from x (H + 2, W + 2, C), where w >= `TILE_WIDTH`."""
    channels, outputs = x.shape[2], out.shape[2]
    row_length = x.shape[1] * channels
    width = out.shape[1] - 2
    for row in range(out.shape[0] - 2):
        for number in range(packed.shape[0]):
            steps = 3 * channels, row_length, stride * channels, outputs, outputs - number * BLOCK
            for start in range(0, width, TILE_WIDTH):
                # The last tile of a row computes some pixels of the one before again.
                column = min(start, width - TILE_WIDTH)
                first = (
                    row * stride * row_length + column * stride * channels,
                    number * packed.shape[1] * BLOCK,
                    ((row + 1) * out.shape[1] + column + 1) * outputs + number * BLOCK,
                )
                _tile((x, packed, out), first, steps, leak)
