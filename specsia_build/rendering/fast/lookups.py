"""Compiled look-ups in textures: between texels, for one pixel or several, and the means that make mip levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir

from specsia_build.jit import inlined, intrinsic
from specsia_build.rendering.fast.lanes import BYTE, INDEX, LONG, floats, ints, shuffled, spread, vector_at


def _mix(typing: Any, texels: Any, upper: Any, lower: Any, w00: Any, w01: Any, w10: Any, w11: Any) -> Any:
    """The four channels of two texels each from the numbers `upper` and `lower` on, weighted and summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        rows = []
        for first, left, right in ((1, 3, 4), (2, 5, 6)):
            start = builder.gep(data, [builder.mul(arguments[first], ir.Constant(arguments[first].type, 4))])
            pair = builder.load(builder.bitcast(start, ir.VectorType(BYTE, 8).as_pointer()))
            pair.align = 1
            levels = builder.sitofp(builder.zext(pair, ir.VectorType(INDEX, 8)), floats(8))
            low, high = spread(builder, arguments[left], 8), spread(builder, arguments[right], 8)
            lanes = ir.Constant(ir.VectorType(INDEX, 8), [0, 1, 2, 3, 8, 9, 10, 11])
            rows.append(builder.fmul(levels, builder.shuffle_vector(low, high, lanes)))
        both = builder.fadd(*rows)
        total = builder.fadd(shuffled(builder, both, [0, 1, 2, 3]), shuffled(builder, both, [4, 5, 6, 7]))
        channels = [builder.extract_element(total, ir.Constant(INDEX, c)) for c in range(4)]
        return context.make_tuple(builder, signature.return_type, channels)

    from numba import types

    weights = [types.float32] * 4
    return types.UniTuple(types.float32, 4)(texels, types.int64, types.int64, *weights), generate


_mixed: Any = intrinsic(_mix)


@inlined
def bilinear(texels, offset, width, u, v):  # type: ignore[no-untyped-def]
    """Encoded RGBA 0-255, float32, between the four texels around column u, row v of an image `width` wide at `offset`.

    `texels` is (N, 4) uint8; u and v are float32, not negative, and less than the last column and row.
    """
    column, row = int(u), int(v)
    right, down = u - np.float32(column), v - np.float32(row)
    w11 = right * down
    w10, w01 = down - w11, right - w11
    k = np.int64(offset + row * width + column)
    return _mixed(texels, k, np.int64(k + width), np.float32(1) - right - w10, w01, w10, w11)


LOOKS = 4
"""Pixels that `look_row` fills together."""


def _look_row(
    typing: Any, texels: Any, color: Any, at: Any, count: Any, offset: Any, width: Any, u: Any, v: Any, du: Any, dv: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, out, first, room, start, across, at_u, at_v, by_u, by_v = arguments

        def each(value: Any) -> Any:
            return spread(builder, value, LOOKS)

        lanes = ir.Constant(ints(LOOKS), list(range(LOOKS)))
        # Pixels that are none repeat the last one: what they would read may be no texel.
        last = each(builder.sub(room, ir.Constant(INDEX, 1)))
        pixel = builder.sitofp(builder.select(builder.icmp_signed("<", lanes, last), lanes, last), floats(LOOKS))
        x = builder.fadd(each(at_u), builder.fmul(each(by_u), pixel))
        y = builder.fadd(each(at_v), builder.fmul(each(by_v), pixel))
        column, row = builder.fptosi(x, ints(LOOKS)), builder.fptosi(y, ints(LOOKS))
        right, down = (builder.fsub(a, builder.sitofp(b, floats(LOOKS))) for a, b in ((x, column), (y, row)))
        w11 = builder.fmul(right, down)
        w10, w01 = builder.fsub(down, w11), builder.fsub(right, w11)
        w00 = builder.fsub(builder.fsub(each(ir.Constant(ir.FloatType(), 1.0)), right), w10)
        upper = builder.add(builder.add(builder.mul(row, each(across)), column), each(start))
        data = context.make_array(signature.args[0])(context, builder, table).data
        total = None
        for begin, weights in ((upper, (w00, w01)), (builder.add(upper, each(across)), (w10, w11))):
            pairs = []
            for k in range(LOOKS):
                index = builder.zext(builder.extract_element(begin, ir.Constant(INDEX, k)), LONG)
                pointer = builder.gep(data, [builder.shl(index, ir.Constant(LONG, 2))])
                pairs.append(builder.load(builder.bitcast(pointer, ir.VectorType(BYTE, 8).as_pointer()), align=1))
            halves = [
                builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INDEX, 16), list(range(16))))
                for a, b in (pairs[:2], pairs[2:])
            ]
            for side, weight in enumerate(weights):
                chosen = [8 * k + 4 * side + c for k in range(LOOKS) for c in range(4)]
                mask = ir.Constant(ir.VectorType(INDEX, 4 * LOOKS), chosen)
                levels = builder.uitofp(
                    builder.zext(builder.shuffle_vector(halves[0], halves[1], mask), ints(4 * LOOKS)),
                    floats(4 * LOOKS),
                )
                share = shuffled(builder, weight, [k for k in range(LOOKS) for _ in range(4)])
                part = builder.fmul(levels, share)
                total = part if total is None else builder.fadd(total, part)
        rounded = builder.fadd(total, spread(builder, ir.Constant(ir.FloatType(), 0.5), 4 * LOOKS))
        found = builder.trunc(builder.fptosi(rounded, ints(4 * LOOKS)), ir.VectorType(BYTE, 4 * LOOKS))
        opaque = ir.Constant(ir.VectorType(BYTE, 4 * LOOKS), [0, 0, 0, 255] * LOOKS)
        pointer = vector_at(
            context, builder, signature.args[1], out, builder.shl(first, ir.Constant(LONG, 2)), BYTE, 4 * LOOKS
        )
        entries = ir.Constant(ints(4 * LOOKS), [k for k in range(LOOKS) for _ in range(4)])
        within = builder.icmp_signed("<", entries, spread(builder, room, 4 * LOOKS))
        known = builder.load(pointer, align=1)
        builder.store(builder.select(within, builder.or_(found, opaque), known), pointer, align=1)
        return context.get_dummy_value()

    from numba import types

    i32, f32 = types.int32, types.float32
    return types.void(texels, color, types.int64, i32, i32, i32, f32, f32, f32, f32), generate


look_row: Any = intrinsic(_look_row)
"""Fill up to `LOOKS` opaque pixels of uint8 `color` with what is between four texels.

`look_row(texels, color, at, count, offset, width, u, v, du, dv)`: `count` pixels from flat index `at` on, the first at
column u, row v of an image as in `bilinear`, each further one by du, dv.
"""


HALVED = 4
"""Texels that `halve_row` makes together."""


def _halve_row(typing: Any, image: Any, out: Any, upper: Any, lower: Any, to: Any, most: Any) -> Any:
    texels = ir.VectorType(BYTE, 4 * HALVED)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, above, below, place, bound = arguments
        corners = []
        for start in (above, below):
            index = builder.shl(start, ir.Constant(LONG, 2))
            pointer = vector_at(context, builder, signature.args[0], source, index, BYTE, 8 * HALVED)
            pair = builder.load(pointer, align=1)
            for side in (0, 1):
                corners.append(shuffled(builder, pair, [8 * k + 4 * side + c for k in range(HALVED) for c in range(4)]))
        low = high = corners[0]
        total = ir.Constant(ir.VectorType(ir.IntType(16), 4 * HALVED), [2] * (4 * HALVED))
        for corner in corners:
            low = builder.select(builder.icmp_unsigned("<", corner, low), corner, low)
            high = builder.select(builder.icmp_unsigned(">", corner, high), corner, high)
            total = builder.add(total, builder.zext(corner, total.type))
        even = builder.icmp_unsigned(
            "<=", builder.sub(high, low), spread(builder, builder.trunc(bound, BYTE), 4 * HALVED)
        )
        opaque = builder.icmp_unsigned(">=", low, ir.Constant(texels, [0, 0, 0, 255] * HALVED))
        mean = builder.trunc(builder.lshr(total, ir.Constant(total.type, [2] * (4 * HALVED))), texels)
        index = builder.shl(place, ir.Constant(LONG, 2))
        pointer = vector_at(context, builder, signature.args[1], target, index, BYTE, 4 * HALVED)
        builder.store(mean, pointer, align=1)
        flags = builder.bitcast(builder.and_(even, opaque), ir.IntType(4 * HALVED))
        return builder.icmp_unsigned("==", flags, ir.Constant(flags.type, -1))

    from numba import types

    return types.boolean(image, out, types.int64, types.int64, types.int64, types.int64), generate


halve_row: Any = intrinsic(_halve_row)
"""Write the means of 2 x 2 texels, as they are encoded, for `HALVED` neighbouring ones, and tell whether they will do:
all opaque, and no level differs by more than `most` within a mean.

`halve_row(image, out, upper, lower, to, most)`: `image` and `out` are (.., 4) uint8; `upper`, `lower` and `to` the flat
indices of the first texel of the upper and of the lower row, and of the first mean.
"""
