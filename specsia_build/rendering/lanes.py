"""Several numbers at once, where numba's own loops compile to many times as many instructions."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import DTypeLike, NDArray

from specsia_build.jit import inlined

LANES = 64
"""Bits of a mask."""

_INDEX = ir.IntType(32)


def _floats(count: int) -> Any:
    return ir.VectorType(ir.FloatType(), count)


def _ints(count: int) -> Any:
    return ir.VectorType(_INDEX, count)


def _spread(builder: Any, value: Any, count: int) -> Any:
    """A number in each of `count` lanes."""
    empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(_INDEX, 0))
    return _shuffled(builder, one, [0] * count)


def _shuffled(builder: Any, value: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(
        value, ir.Constant(value.type, ir.Undefined), ir.Constant(ir.VectorType(_INDEX, len(lanes)), lanes)
    )


def half_plane(offset_x: NDArray[np.int32], offset_y: NDArray[np.int32]) -> Any:
    """A compiled function of (at, step_x, step_y) float32: the lanes, as uint64, at which at + step_x * x + step_y * y
    is not negative, for offsets x, y (LANES,) of samples from the centre.

    Products and sums are rounded one by one, the same on every machine.
    """
    lanes_x = ir.Constant(_floats(LANES), [float(x) for x in offset_x])
    lanes_y = ir.Constant(_floats(LANES), [float(y) for y in offset_y])
    zero = ir.Constant(_floats(LANES), [0.0] * LANES)

    @intrinsic
    def not_negative(typing: Any, at: Any, step_x: Any, step_y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start, right, down = (_spread(builder, argument, LANES) for argument in arguments)
            # The slopes' part first: it stays the same from pixel to pixel.
            grown = builder.fadd(builder.fmul(right, lanes_x), builder.fmul(down, lanes_y))
            value = builder.fadd(start, grown)
            return builder.bitcast(builder.fcmp_ordered(">=", value, zero), ir.IntType(LANES))

        return types.uint64(types.float32, types.float32, types.float32), generate

    return not_negative


def triangle(offset_x: NDArray[np.int32], offset_y: NDArray[np.int32]) -> Any:
    """A compiled function of three edge functions: the lanes, as uint64, at which none of them is negative, for offsets
    x, y (LANES,) of samples from the centre. Each is given by an int32 at the centre and its steps right and down."""
    lanes_x, lanes_y = (ir.Constant(_ints(LANES), offsets.tolist()) for offsets in (offset_x, offset_y))

    @intrinsic
    def not_negative(typing: Any, at: Any, steps_x: Any, steps_y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            signs = ir.Constant(_ints(LANES), [0] * LANES)
            for k in range(3):
                start, right, down = (_spread(builder, builder.extract_value(a, k), LANES) for a in arguments)
                # The slopes' part first: it stays the same from pixel to pixel.
                grown = builder.add(builder.mul(right, lanes_x), builder.mul(down, lanes_y))
                signs = builder.or_(signs, builder.add(start, grown))
            inside = builder.icmp_signed(">=", signs, ir.Constant(_ints(LANES), [0] * LANES))
            return builder.bitcast(inside, ir.IntType(LANES))

        three = types.UniTuple(types.int32, 3)
        return types.uint64(three, three, three), generate

    return not_negative


def _mix(typing: Any, texels: Any, upper: Any, lower: Any, w00: Any, w01: Any, w10: Any, w11: Any) -> Any:
    """The four channels of two texels each from the numbers `upper` and `lower` on, weighted and summed."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        rows = []
        for first, left, right in ((1, 3, 4), (2, 5, 6)):
            start = builder.gep(data, [builder.mul(arguments[first], ir.Constant(arguments[first].type, 4))])
            pair = builder.load(builder.bitcast(start, ir.VectorType(ir.IntType(8), 8).as_pointer()))
            pair.align = 1
            levels = builder.sitofp(builder.zext(pair, ir.VectorType(_INDEX, 8)), _floats(8))
            low, high = _spread(builder, arguments[left], 8), _spread(builder, arguments[right], 8)
            lanes = ir.Constant(ir.VectorType(_INDEX, 8), [0, 1, 2, 3, 8, 9, 10, 11])
            rows.append(builder.fmul(levels, builder.shuffle_vector(low, high, lanes)))
        both = builder.fadd(*rows)
        total = builder.fadd(_shuffled(builder, both, [0, 1, 2, 3]), _shuffled(builder, both, [4, 5, 6, 7]))
        channels = [builder.extract_element(total, ir.Constant(_INDEX, c)) for c in range(4)]
        return context.make_tuple(builder, signature.return_type, channels)

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


ROW = 16
"""Neighbouring pixels that are looked at together; `padded` arrays have so many elements more than are ever asked for."""


def padded(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Zeros with `ROW` more entries of the first two axes behind them in memory, which may be read and written back."""
    count, entry = int(np.prod(shape)), int(np.prod(shape[2:]))
    return np.zeros(count + ROW * entry, dtype)[:count].reshape(shape)


def _vector_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any, lane: Any, count: int) -> Any:
    """Pointer to `count` neighbouring elements of a contiguous array, whatever its shape."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), ir.VectorType(lane, count).as_pointer())


def _edge_signs(builder: Any, edges: Any, steps: Any) -> Any:
    """Lanes that are negative where one of three edge functions is, given at the first pixel and per pixel."""
    signs = ir.Constant(_ints(ROW), [0] * ROW)
    for k in range(3):
        first = _spread(builder, builder.extract_value(edges, k), ROW)
        step = _spread(builder, builder.extract_value(steps, k), ROW)
        grown = builder.mul(step, ir.Constant(_ints(ROW), list(range(ROW))))
        signs = builder.or_(signs, builder.add(first, grown))
    return signs


def _see_row(
    typing: Any, nearest: Any, ids: Any, at: Any, count: Any, f: Any, edges: Any, steps: Any, z: Any, z_x: Any, skipped: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, start, room, face, at_first, per_pixel, depth, slope, before = arguments
        lanes = ir.Constant(_ints(ROW), list(range(ROW)))
        within = builder.icmp_signed("<", lanes, _spread(builder, room, ROW))
        inside = builder.icmp_signed(">=", _edge_signs(builder, at_first, per_pixel), ir.Constant(_ints(ROW), [0] * ROW))
        grown = builder.fmul(_spread(builder, slope, ROW), builder.sitofp(builder.add(lanes, _spread(builder, before, ROW)), _floats(ROW)))
        here = builder.fadd(_spread(builder, depth, ROW), grown)
        depths = _vector_at(context, builder, signature.args[0], arguments[0], start, ir.FloatType(), ROW)
        faces = _vector_at(context, builder, signature.args[1], arguments[1], start, _INDEX, ROW)
        known, named = builder.load(depths, align=4), builder.load(faces, align=4)
        wins = builder.and_(builder.and_(inside, within), builder.fcmp_ordered("<", here, known))
        for value, pointer in (
            (builder.select(wins, here, known), depths),
            (builder.select(wins, _spread(builder, face, ROW), named), faces),
        ):
            builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    three = types.UniTuple(types.int32, 3)
    i32, f32 = types.int32, types.float32
    return types.void(nearest, ids, types.int64, i32, i32, three, three, f32, f32, i32), generate


see_row: Any = intrinsic(_see_row)
"""Let a face be what the centres of up to `ROW` neighbouring pixels show where nothing nearer is.

`see_row(nearest, ids, at, count, f, edges, steps, z, z_x, skipped)`: `nearest` float32 and `ids` int32 are contiguous and
have `ROW` elements more than pixels; `count` pixels are looked at from the flat index `at` on, for the first of which
the three int32 `edges` hold, with `steps` per pixel. The depth is `z`, with `z_x` per pixel, `skipped` pixels before it.
"""


def _bits(context: Any, builder: Any, lanes: Any) -> Any:
    """One bit a lane, int64."""
    return builder.zext(builder.bitcast(lanes, ir.IntType(ROW)), ir.IntType(64))


def _differing(typing: Any, values: Any, at: Any, other: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, *starts = arguments
        pair = [_vector_at(context, builder, signature.args[0], array, start, _INDEX, ROW) for start in starts]
        here, there = (builder.load(pointer, align=4) for pointer in pair)
        return _bits(context, builder, builder.icmp_signed("!=", here, there))

    return types.int64(values, types.int64, types.int64), generate


differing: Any = intrinsic(_differing)
"""Bits of the pixels among `ROW` from flat index `at` on whose int32 value is not that of those from `other` on:
`differing(values, at, other)`."""


def _contrasting(typing: Any, color: Any, at: Any, other: Any, least: Any) -> Any:
    byte = ir.IntType(8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, *starts, bound = arguments
        four = ir.Constant(ir.IntType(64), 4)
        pair = [
            _vector_at(context, builder, signature.args[0], array, builder.mul(start, four), byte, 4 * ROW)
            for start in starts
        ]
        here, there = (builder.load(pointer, align=1) for pointer in pair)
        larger = builder.icmp_unsigned(">", here, there)
        step = builder.select(larger, builder.sub(here, there), builder.sub(there, here))
        far = builder.icmp_unsigned(">", step, _spread(builder, builder.trunc(bound, byte), 4 * ROW))
        colours = ir.Constant(ir.VectorType(ir.IntType(1), 4 * ROW), [1, 1, 1, 0] * ROW)
        pixels = builder.bitcast(builder.and_(far, colours), ir.VectorType(ir.IntType(4), ROW))
        return _bits(context, builder, builder.icmp_unsigned("!=", pixels, ir.Constant(pixels.type, [0] * ROW)))

    return types.int64(color, types.int64, types.int64, types.int64), generate


contrasting: Any = intrinsic(_contrasting)
"""Bits of the pixels among `ROW` from flat index `at` on of whose uint8 RGB some level is more than `least` away from
that of those from `other` on: `contrasting(color, at, other, least)`."""


def _marked_as(typing: Any, marked: Any, at: Any, mark: Any) -> Any:
    byte = ir.IntType(8)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, wanted = arguments
        here = builder.load(_vector_at(context, builder, signature.args[0], array, start, byte, ROW), align=1)
        same = builder.icmp_unsigned("==", here, _spread(builder, builder.trunc(wanted, byte), ROW))
        return _bits(context, builder, same)

    return types.int64(marked, types.int64, types.int64), generate


marked_as: Any = intrinsic(_marked_as)
"""Bits of the pixels among `ROW` from flat index `at` on whose uint8 mark is `mark`: `marked_as(marked, at, mark)`."""


def _lowest(typing: Any, bits: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


lowest: Any = intrinsic(_lowest)
"""Number of the lowest bit of an int64 that is not 0."""


def _reaching(typing: Any, far: Any, at: Any, count: Any, edges: Any, steps: Any, front: Any, z: Any, z_x: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, room, at_first, per_pixel, least, depth, slope = arguments
        lanes = ir.Constant(_ints(ROW), list(range(ROW)))
        within = builder.icmp_signed("<", lanes, _spread(builder, room, ROW))
        near = builder.icmp_signed(">=", _edge_signs(builder, at_first, per_pixel), ir.Constant(_ints(ROW), [0] * ROW))
        grown = builder.fmul(_spread(builder, slope, ROW), builder.sitofp(lanes, _floats(ROW)))
        here = builder.fadd(_spread(builder, depth, ROW), grown)
        bound = _vector_at(context, builder, signature.args[0], array, start, ir.FloatType(), ROW)
        known = builder.load(bound, align=4)
        shown = builder.and_(
            builder.fcmp_ordered("<=", here, known),
            builder.fcmp_ordered("<=", _spread(builder, least, ROW), known),
        )
        return _bits(context, builder, builder.and_(builder.and_(near, within), shown))

    three = types.UniTuple(types.int32, 3)
    f32 = types.float32
    return types.int64(far, types.int64, types.int32, three, three, f32, f32, f32), generate


reaching: Any = intrinsic(_reaching)
"""Bits of the first `count` pixels from flat index `at` on in which a face may be seen, `ROW` at most.

`reaching(far, at, count, edges, steps, front, z, z_x)`: none of the int32 `edges`, given for the first pixel and with
`steps` per pixel, is negative there, and neither `front` nor the depth `z` (with `z_x` per pixel) exceeds `far`.
"""


def _place_row(part: int) -> Any:
    """The `part`th of three vectors of `ROW` floats, which hold three coordinates of `ROW` pixels."""
    entries = range(part * ROW, (part + 1) * ROW)

    @intrinsic
    def place(typing: Any, position: Any, at: Any, count: Any, start: Any, steps: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, first, room, at_first, per_pixel = arguments
            begin, slope = (
                _shuffled(builder, _together(builder, triple, 3), [k % 3 for k in entries])
                for triple in (at_first, per_pixel)
            )
            pixel = ir.Constant(_floats(ROW), [float(k // 3) for k in entries])
            value = builder.fadd(begin, builder.fmul(slope, pixel))
            three = ir.Constant(ir.IntType(64), 3)
            index = builder.add(builder.mul(first, three), ir.Constant(ir.IntType(64), part * ROW))
            pointer = _vector_at(context, builder, signature.args[0], array, index, ir.FloatType(), ROW)
            lanes = ir.Constant(_ints(ROW), [k // 3 for k in entries])
            within = builder.icmp_signed("<", lanes, _spread(builder, room, ROW))
            builder.store(builder.select(within, value, builder.load(pointer, align=4)), pointer, align=4)
            return context.get_dummy_value()

        three = types.UniTuple(types.float32, 3)
        return types.void(position, types.int64, types.int32, three, three), generate

    return place


def _together(builder: Any, values: Any, count: int) -> Any:
    """A vector of the numbers of a tuple."""
    parts = [builder.extract_value(values, k) for k in range(count)]
    vector = ir.Constant(ir.VectorType(parts[0].type, count), ir.Undefined)
    for k, part in enumerate(parts):
        vector = builder.insert_element(vector, part, ir.Constant(_INDEX, k))
    return vector


_place_first, _place_second, _place_third = map(_place_row, range(3))


@inlined
def place_row(position, at, count, start, steps):  # type: ignore[no-untyped-def]
    """Fill up to `ROW` pixels of `position` (H, W, 3), from flat index `at` on, by three planes: three values float32 at
    the first of them, and as many steps per pixel."""
    _place_first(position, at, count, start, steps)
    if 3 * count > ROW:
        _place_second(position, at, count, start, steps)
    if 3 * count > 2 * ROW:
        _place_third(position, at, count, start, steps)


LOOKS = 4
"""Pixels that `look_row` fills together."""


def _look_row(
    typing: Any, texels: Any, color: Any, at: Any, count: Any, offset: Any, width: Any, u: Any, v: Any, du: Any, dv: Any
) -> Any:
    byte, long = ir.IntType(8), ir.IntType(64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table, out, first, room, start, across, at_u, at_v, by_u, by_v = arguments

        def each(value: Any) -> Any:
            return _spread(builder, value, LOOKS)

        lanes = ir.Constant(_ints(LOOKS), list(range(LOOKS)))
        # Pixels that are none repeat the last one: what they would read may be no texel.
        last = each(builder.sub(room, ir.Constant(_INDEX, 1)))
        pixel = builder.sitofp(builder.select(builder.icmp_signed("<", lanes, last), lanes, last), _floats(LOOKS))
        x = builder.fadd(each(at_u), builder.fmul(each(by_u), pixel))
        y = builder.fadd(each(at_v), builder.fmul(each(by_v), pixel))
        column, row = builder.fptosi(x, _ints(LOOKS)), builder.fptosi(y, _ints(LOOKS))
        right, down = (builder.fsub(a, builder.sitofp(b, _floats(LOOKS))) for a, b in ((x, column), (y, row)))
        w11 = builder.fmul(right, down)
        w10, w01 = builder.fsub(down, w11), builder.fsub(right, w11)
        w00 = builder.fsub(builder.fsub(each(ir.Constant(ir.FloatType(), 1.0)), right), w10)
        upper = builder.add(builder.add(builder.mul(row, each(across)), column), each(start))
        data = context.make_array(signature.args[0])(context, builder, table).data
        total = None
        for begin, weights in ((upper, (w00, w01)), (builder.add(upper, each(across)), (w10, w11))):
            pairs = []
            for k in range(LOOKS):
                index = builder.zext(builder.extract_element(begin, ir.Constant(_INDEX, k)), long)
                pointer = builder.gep(data, [builder.shl(index, ir.Constant(long, 2))])
                pairs.append(builder.load(builder.bitcast(pointer, ir.VectorType(byte, 8).as_pointer()), align=1))
            halves = [
                builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, 16), list(range(16))))
                for a, b in (pairs[:2], pairs[2:])
            ]
            for side, weight in enumerate(weights):
                chosen = [8 * k + 4 * side + c for k in range(LOOKS) for c in range(4)]
                mask = ir.Constant(ir.VectorType(_INDEX, 4 * LOOKS), chosen)
                levels = builder.uitofp(
                    builder.zext(builder.shuffle_vector(halves[0], halves[1], mask), _ints(4 * LOOKS)), _floats(4 * LOOKS)
                )
                spread = _shuffled(builder, weight, [k for k in range(LOOKS) for _ in range(4)])
                part = builder.fmul(levels, spread)
                total = part if total is None else builder.fadd(total, part)
        rounded = builder.fadd(total, _spread(builder, ir.Constant(ir.FloatType(), 0.5), 4 * LOOKS))
        found = builder.trunc(builder.fptosi(rounded, _ints(4 * LOOKS)), ir.VectorType(byte, 4 * LOOKS))
        opaque = ir.Constant(ir.VectorType(byte, 4 * LOOKS), [0, 0, 0, 255] * LOOKS)
        pointer = _vector_at(
            context, builder, signature.args[1], out, builder.shl(first, ir.Constant(long, 2)), byte, 4 * LOOKS
        )
        entries = ir.Constant(_ints(4 * LOOKS), [k for k in range(LOOKS) for _ in range(4)])
        within = builder.icmp_signed("<", entries, _spread(builder, room, 4 * LOOKS))
        known = builder.load(pointer, align=1)
        builder.store(builder.select(within, builder.or_(found, opaque), known), pointer, align=1)
        return context.get_dummy_value()

    i32, f32 = types.int32, types.float32
    return types.void(texels, color, types.int64, i32, i32, i32, f32, f32, f32, f32), generate


look_row: Any = intrinsic(_look_row)
"""Fill up to `LOOKS` opaque pixels of uint8 `color` with what is between four texels.

`look_row(texels, color, at, count, offset, width, u, v, du, dv)`: `count` pixels from flat index `at` on, the first at column
u, row v of an image as in `bilinear`, each further one by du, dv.
"""


HALVED = 4
"""Texels that `halve_row` makes together."""


def _halve_row(typing: Any, image: Any, out: Any, upper: Any, lower: Any, to: Any, most: Any) -> Any:
    byte, long = ir.IntType(8), ir.IntType(64)
    texels = ir.VectorType(byte, 4 * HALVED)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target, above, below, place, bound = arguments
        corners = []
        for start in (above, below):
            index = builder.shl(start, ir.Constant(long, 2))
            pointer = _vector_at(context, builder, signature.args[0], source, index, byte, 8 * HALVED)
            pair = builder.load(pointer, align=1)
            for side in (0, 1):
                corners.append(_shuffled(builder, pair, [8 * k + 4 * side + c for k in range(HALVED) for c in range(4)]))
        low = high = corners[0]
        total = ir.Constant(ir.VectorType(ir.IntType(16), 4 * HALVED), [2] * (4 * HALVED))
        for corner in corners:
            low = builder.select(builder.icmp_unsigned("<", corner, low), corner, low)
            high = builder.select(builder.icmp_unsigned(">", corner, high), corner, high)
            total = builder.add(total, builder.zext(corner, total.type))
        even = builder.icmp_unsigned(
            "<=", builder.sub(high, low), _spread(builder, builder.trunc(bound, byte), 4 * HALVED)
        )
        opaque = builder.icmp_unsigned(">=", low, ir.Constant(texels, [0, 0, 0, 255] * HALVED))
        mean = builder.trunc(builder.lshr(total, ir.Constant(total.type, [2] * (4 * HALVED))), texels)
        index = builder.shl(place, ir.Constant(long, 2))
        pointer = _vector_at(context, builder, signature.args[1], target, index, byte, 4 * HALVED)
        builder.store(mean, pointer, align=1)
        flags = builder.bitcast(builder.and_(even, opaque), ir.IntType(4 * HALVED))
        return builder.icmp_unsigned("==", flags, ir.Constant(flags.type, -1))

    return types.boolean(image, out, types.int64, types.int64, types.int64, types.int64), generate


halve_row: Any = intrinsic(_halve_row)
"""Write the means of 2 x 2 texels, as they are encoded, for `HALVED` neighbouring ones, and tell whether they will do: all
opaque, and no level differs by more than `most` within a mean.

`halve_row(image, out, upper, lower, to, most)`: `image` and `out` are (.., 4) uint8; flat indices of the first texel of the
upper and of the lower row, and of the first mean.
"""


@inlined
def first_bits(count):  # type: ignore[no-untyped-def]
    """So many bits of `ROW`, the lowest."""
    return (np.int64(1) << min(np.int64(count), ROW)) - 1
