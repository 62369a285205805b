"""Compiled look-ups in textures: between texels, for one pixel or several, and the means of mip levels."""

from typing import Any

import numpy as np
from llvmlite import ir

from specsia_build.jit import inlined, intrinsic, types
from specsia_build.rendering.fast.lanes import (
    BYTE,
    LANE_INDEX,
    LONG,
    chars,
    floats,
    ints,
    shuffled,
    spread,
    vector_at,
)


@intrinsic
def _mixed(typing: Any, texels: Any, upper: Any, lower: Any, w00: Any, w01: Any, w10: Any, w11: Any) -> Any:
    """The four channels of two texels each from the numbers `upper` and `lower` on, weighted and summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        rows = []
        for first, left, right in ((1, 3, 4), (2, 5, 6)):
            start = builder.gep(data, [builder.mul(arguments[first], ir.Constant(arguments[first].type, 4))])
            pair = builder.load(builder.bitcast(start, chars(8).as_pointer()))
            pair.align = 1
            levels = builder.sitofp(builder.zext(pair, ints(8)), floats(8))
            low, high = spread(builder, arguments[left], 8), spread(builder, arguments[right], 8)
            shares = shuffled(builder, low, [0, 1, 2, 3, 8, 9, 10, 11], high)
            rows.append(builder.fmul(levels, shares))
        both = builder.fadd(*rows)
        total = builder.fadd(shuffled(builder, both, [0, 1, 2, 3]), shuffled(builder, both, [4, 5, 6, 7]))
        channels = [builder.extract_element(total, ir.Constant(LANE_INDEX, c)) for c in range(4)]
        return context.make_tuple(builder, signature.return_type, channels)

    weights = [types.float32] * 4
    return types.UniTuple(types.float32, 4)(texels, types.int64, types.int64, *weights), generate


@inlined
def bilinear(texels, offset, width, u, v):  # type: ignore[no-untyped-def]
    """Encoded RGBA 0-255, float32, between the four texels around (u, v) of an image of `width` at `offset`.

    `texels` is (N, 4) uint8; u and v are float32, not negative, and less than the last column and row.
    """
    column, row = int(u), int(v)
    right, down = u - np.float32(column), v - np.float32(row)
    w11 = right * down
    w10, w01 = down - w11, right - w11
    k = np.int64(offset + row * width + column)
    return _mixed(texels, k, np.int64(k + width), np.float32(1) - right - w10, w01, w10, w11)


LOOKS = 4  # Pixels that `look_row` fills together


def _each(builder: Any, value: Any) -> Any:
    return spread(builder, value, LOOKS)


def _pixels(builder: Any, room: Any) -> Any:
    """Numbers 0, 1 … of `LOOKS` pixels, float32; those past the last repeat it, so only texels are read."""
    lanes = ir.Constant(ints(LOOKS), list(range(LOOKS)))
    last = _each(builder, builder.sub(room, ir.Constant(LANE_INDEX, 1)))
    return builder.sitofp(builder.select(builder.icmp_signed("<", lanes, last), lanes, last), floats(LOOKS))


def _shares(builder: Any, data: Any, start: Any, across: Any, x: Any, y: Any) -> list[Any]:
    """Contribution of each of the four texels around columns x and rows y (`LOOKS` lanes) to a look-up, four
    channels a lane: upper left, upper right, lower left, lower right."""
    column, row = builder.fptosi(x, ints(LOOKS)), builder.fptosi(y, ints(LOOKS))
    right, down = (builder.fsub(a, builder.sitofp(b, floats(LOOKS))) for a, b in ((x, column), (y, row)))
    w11 = builder.fmul(right, down)
    w10, w01 = builder.fsub(down, w11), builder.fsub(right, w11)
    w00 = builder.fsub(builder.fsub(_each(builder, ir.Constant(ir.FloatType(), 1.0)), right), w10)
    upper = builder.add(builder.add(builder.mul(row, _each(builder, across)), column), _each(builder, start))
    shares = []
    for begin, weights in ((upper, (w00, w01)), (builder.add(upper, _each(builder, across)), (w10, w11))):
        pairs = []
        for k in range(LOOKS):
            index = builder.zext(builder.extract_element(begin, ir.Constant(LANE_INDEX, k)), LONG)
            pointer = builder.gep(data, [builder.shl(index, ir.Constant(LONG, 2))])
            pairs.append(builder.load(builder.bitcast(pointer, chars(8).as_pointer()), align=1))
        halves = [shuffled(builder, a, list(range(16)), b) for a, b in (pairs[:2], pairs[2:])]
        for side, weight in enumerate(weights):
            chosen = [8 * k + 4 * side + c for k in range(LOOKS) for c in range(4)]
            texels = shuffled(builder, halves[0], chosen, halves[1])
            levels = builder.uitofp(builder.zext(texels, ints(4 * LOOKS)), floats(4 * LOOKS))
            share = shuffled(builder, weight, [k for k in range(LOOKS) for _ in range(4)])
            shares.append(builder.fmul(levels, share))
    return shares


def _show(context: Any, builder: Any, color: tuple[Any, Any], first: Any, room: Any, levels: Any) -> None:
    """Write up to `LOOKS` opaque pixels of `color`, an array's type and value, from flat index `first`: RGB,
    float32 `levels` rounded."""
    rounded = builder.fadd(levels, spread(builder, ir.Constant(ir.FloatType(), 0.5), 4 * LOOKS))
    texels = builder.trunc(builder.fptosi(rounded, ints(4 * LOOKS)), chars(4 * LOOKS))
    opaque = ir.Constant(chars(4 * LOOKS), [0, 0, 0, 255] * LOOKS)
    index = builder.shl(first, ir.Constant(LONG, 2))
    pointer = vector_at(context, builder, *color, index, chars(4 * LOOKS))
    entries = ir.Constant(ints(4 * LOOKS), [k for k in range(LOOKS) for _ in range(4)])
    within = builder.icmp_signed("<", entries, spread(builder, room, 4 * LOOKS))
    known = builder.load(pointer, align=1)
    builder.store(builder.select(within, builder.or_(texels, opaque), known), pointer, align=1)


@intrinsic
def look_row(
    typing: Any,
    texels: Any,
    color: Any,
    at: Any,
    count: Any,
    offset: Any,
    width: Any,
    u: Any,
    v: Any,
    du: Any,
    dv: Any,
) -> Any:
    """Fill up to `LOOKS` opaque pixels of uint8 `color` by interpolation between four texels.

    There are `count` from flat index `at` on, the first at column `u`, row `v` of an image as in `bilinear`,
    each further one by `du`, `dv`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, out, first, room, start, across, at_u, at_v, by_u, by_v = arguments
        pixel = _pixels(builder, room)
        x = builder.fadd(_each(builder, at_u), builder.fmul(_each(builder, by_u), pixel))
        y = builder.fadd(_each(builder, at_v), builder.fmul(_each(builder, by_v), pixel))
        data = context.make_array(signature.args[0])(context, builder, table).data
        total, *others = _shares(builder, data, start, across, x, y)
        for share in others:
            total = builder.fadd(total, share)
        _show(context, builder, (signature.args[1], out), first, room, total)
        return context.get_dummy_value()

    i32, f32 = types.int32, types.float32
    return types.void(texels, color, types.int64, i32, i32, i32, f32, f32, f32, f32), generate


@intrinsic
def look_along(
    typing: Any,
    texels: Any,
    looks: Any,
    to: Any,
    count: Any,
    offset: Any,
    width: Any,
    u: Any,
    v: Any,
    pixel: Any,
) -> Any:
    """Look up the same point of `LOOKS` neighbouring pixels.

    Row `to` of `looks` (N, 4 * `LOOKS`) float32 becomes the encoded RGBA of each, 0-255, in an image as in
    `bilinear`. `u` and `v`, four float32 each, say where: at the first pixel of a run, by what it grows per
    pixel, and what the point lies right of and below the pixel's first one. The pixels are `pixel`, float32,
    and those that follow; from the `count`th on the one before is repeated.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, out, place, room, start, across, along_u, along_v, before = arguments
        pixel = builder.fadd(_each(builder, before), _pixels(builder, room))
        ends = []
        for sums in (along_u, along_v):
            first, step, right, down = (_each(builder, builder.extract_value(sums, k)) for k in range(4))
            point = builder.fadd(first, builder.fmul(step, pixel))
            ends.append(builder.fadd(builder.fadd(point, right), down))
        data = context.make_array(signature.args[0])(context, builder, table).data
        upper_left, upper_right, lower_left, lower_right = _shares(builder, data, start, across, *ends)
        # Summed as `bilinear` does.
        total = builder.fadd(builder.fadd(upper_left, lower_left), builder.fadd(upper_right, lower_right))
        index = builder.mul(place, ir.Constant(LONG, 4 * LOOKS))
        pointer = vector_at(context, builder, signature.args[1], out, index, floats(4 * LOOKS))
        builder.store(total, pointer, align=4)
        return context.get_dummy_value()

    i32, f32 = types.int32, types.float32
    four = types.UniTuple(f32, 4)
    return types.void(texels, looks, types.int64, i32, i32, i32, four, four, f32), generate


@intrinsic
def mean_row(typing: Any, looks: Any, count: Any, color: Any, at: Any, room: Any, most: Any) -> Any:
    """Fill up to `LOOKS` opaque pixels of uint8 `color` with the mean of what was looked up, as encoded.

    It is that of the first `count` rows of `looks`, see `look_along`, for `room` pixels from flat index `at`
    on. Returns a bit for each of the 4 * `LOOKS` levels, opacity aside, that differs by more than `most`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        from numba.core import cgutils

        samples, several, out, first, within, bound = arguments

        def look(k: Any) -> Any:
            index = builder.mul(k, ir.Constant(LONG, 4 * LOOKS))
            return builder.load(
                vector_at(context, builder, signature.args[0], samples, index, floats(4 * LOOKS)), align=4
            )

        start = look(ir.Constant(LONG, 0))
        total, low, high = (cgutils.alloca_once_value(builder, start) for _ in range(3))
        with cgutils.for_range_slice(builder, ir.Constant(LONG, 1), several, ir.Constant(LONG, 1), LONG) as (
            k,
            _,
        ):
            value = look(k)
            builder.store(builder.fadd(builder.load(total), value), total)
            for extreme, sign in ((low, "<"), (high, ">")):
                known = builder.load(extreme)
                builder.store(builder.select(builder.fcmp_ordered(sign, value, known), value, known), extreme)
        number = spread(builder, builder.sitofp(several, ir.FloatType()), 4 * LOOKS)
        mean = builder.fdiv(builder.load(total), number)
        _show(context, builder, (signature.args[2], out), first, within, mean)
        spans = builder.fsub(builder.load(high), builder.load(low))
        uneven = builder.fcmp_ordered(">", spans, spread(builder, bound, 4 * LOOKS))
        colours = ir.Constant(ir.VectorType(ir.IntType(1), 4 * LOOKS), [1, 1, 1, 0] * LOOKS)
        return builder.zext(builder.bitcast(builder.and_(uneven, colours), ir.IntType(4 * LOOKS)), LONG)

    i64 = types.int64
    return i64(looks, i64, color, i64, types.int32, types.float32), generate


HALVED = 4  # Texels that `halve_row` makes together


@intrinsic
def halve_row(typing: Any, image: Any, out: Any, upper: Any, lower: Any, to: Any, most: Any) -> Any:
    """Write the means of 2 x 2 texels, as they are encoded, for `HALVED` neighbouring ones.

    Returns whether they will do: all opaque, and no level differs by more than `most` within a mean. `image`
    and `out` are (.., 4) uint8; `upper`, `lower` and `to` the flat indices of the first texel of the upper
    and of the lower row, and of the first mean.
    """

    texels = chars(4 * HALVED)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, above, below, place, bound = arguments
        corners = []
        for start in (above, below):
            index = builder.shl(start, ir.Constant(LONG, 2))
            pointer = vector_at(context, builder, signature.args[0], source, index, chars(8 * HALVED))
            pair = builder.load(pointer, align=1)
            for side in (0, 1):
                corners.append(
                    shuffled(builder, pair, [8 * k + 4 * side + c for k in range(HALVED) for c in range(4)])
                )
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
        pointer = vector_at(context, builder, signature.args[1], target, index, chars(4 * HALVED))
        builder.store(mean, pointer, align=1)
        flags = builder.bitcast(builder.and_(even, opaque), ir.IntType(4 * HALVED))
        return builder.icmp_unsigned("==", flags, ir.Constant(flags.type, -1))

    return types.boolean(image, out, types.int64, types.int64, types.int64, types.int64), generate
