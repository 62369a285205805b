"""Process neighbouring pixels of a row, `ROW` at a time."""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import DTypeLike, NDArray

from specsia_build.jit import inlined, intrinsic, types
from specsia_build.rendering.fast.lanes import (
    BYTE,
    LONG,
    chars,
    floats,
    ints,
    shuffled,
    spread,
    together,
    vector_at,
)

# Pixels that are looked at together; `padded` arrays have so many more behind them than are ever asked for
ROW = 16

_NUMBERS, _ZEROS = ir.Constant(ints(ROW), list(range(ROW))), ir.Constant(ints(ROW), [0] * ROW)


def padded(shape: tuple[int, ...], dtype: DTypeLike, *, clear: bool = True) -> NDArray[Any]:
    """Zeros, or anything, with `ROW` spare entries of the first two axes behind, to read and write back."""
    count, entry = math.prod(shape), math.prod(shape[2:])
    return (np.zeros if clear else np.empty)(count + ROW * entry, dtype)[:count].reshape(shape)


@inlined
def first_bits(count):  # type: ignore[no-untyped-def]
    """The lowest bits of `ROW`, as many as given."""
    return (np.int64(1) << min(int(count), ROW)) - 1


def _edge_signs(builder: Any, edges: Any, steps: Any) -> Any:
    """Lanes that are negative where one of three edge functions is, given at the first and per pixel."""
    signs = _ZEROS
    for k in range(3):
        first = spread(builder, builder.extract_value(edges, k), ROW)
        step = spread(builder, builder.extract_value(steps, k), ROW)
        grown = builder.mul(step, _NUMBERS)
        signs = builder.or_(signs, builder.add(first, grown))
    return signs


@intrinsic
def see_row(
    typing: Any,
    nearest: Any,
    ids: Any,
    at: Any,
    count: Any,
    f: Any,
    edges: Any,
    steps: Any,
    z: Any,
    z_x: Any,
    skipped: Any,
) -> Any:
    """Show a face at the centres of up to `ROW` neighbouring pixels where nothing is nearer.

    `nearest` float32 and `ids` int32 are `padded`; `count` pixels begin at the flat index `at`. The three
    int32 `edges` belong to the first and change by `steps` per pixel. The depth is `z`, `skipped` pixels
    earlier, and changes by `z_x` per pixel.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, _, start, room, face, at_first, per_pixel, depth, slope, before = arguments
        within = builder.icmp_signed("<", _NUMBERS, spread(builder, room, ROW))
        inside = builder.icmp_signed(">=", _edge_signs(builder, at_first, per_pixel), _ZEROS)
        grown = builder.fmul(
            spread(builder, slope, ROW),
            builder.sitofp(builder.add(_NUMBERS, spread(builder, before, ROW)), floats(ROW)),
        )
        here = builder.fadd(spread(builder, depth, ROW), grown)
        depths = vector_at(context, builder, signature.args[0], arguments[0], start, floats(ROW))
        faces = vector_at(context, builder, signature.args[1], arguments[1], start, ints(ROW))
        known, named = builder.load(depths, align=4), builder.load(faces, align=4)
        wins = builder.and_(builder.and_(inside, within), builder.fcmp_ordered("<", here, known))
        for value, pointer in (
            (builder.select(wins, here, known), depths),
            (builder.select(wins, spread(builder, face, ROW), named), faces),
        ):
            builder.store(value, pointer, align=4)
        return context.get_dummy_value()

    three = types.UniTuple(types.int32, 3)
    i32, f32 = types.int32, types.float32
    return types.void(nearest, ids, types.int64, i32, i32, three, three, f32, f32, i32), generate


def _bits(context: Any, builder: Any, lanes: Any) -> Any:
    """One bit a lane, int64."""
    return builder.zext(builder.bitcast(lanes, ir.IntType(ROW)), LONG)


@intrinsic
def differing(typing: Any, values: Any, at: Any, other: Any) -> Any:
    """Bits of the pixels among `ROW` from flat index `at` whose int32 is not that of those from `other`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, *starts = arguments
        pair = [vector_at(context, builder, signature.args[0], array, start, ints(ROW)) for start in starts]
        here, there = (builder.load(pointer, align=4) for pointer in pair)
        return _bits(context, builder, builder.icmp_signed("!=", here, there))

    return types.int64(values, types.int64, types.int64), generate


@intrinsic
def contrasting(typing: Any, color: Any, at: Any, other: Any, least: Any) -> Any:
    """Bits of the pixels among `ROW` from flat index `at` of whose uint8 RGB some level is more than `least`
    away from that of those from `other`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, *starts, bound = arguments
        four = ir.Constant(LONG, 4)
        pair = [
            vector_at(context, builder, signature.args[0], array, builder.mul(start, four), chars(4 * ROW))
            for start in starts
        ]
        here, there = (builder.load(pointer, align=1) for pointer in pair)
        larger = builder.icmp_unsigned(">", here, there)
        step = builder.select(larger, builder.sub(here, there), builder.sub(there, here))
        far = builder.icmp_unsigned(">", step, spread(builder, builder.trunc(bound, BYTE), 4 * ROW))
        colours = ir.Constant(ir.VectorType(ir.IntType(1), 4 * ROW), [1, 1, 1, 0] * ROW)
        pixels = builder.bitcast(builder.and_(far, colours), ir.VectorType(ir.IntType(4), ROW))
        return _bits(
            context, builder, builder.icmp_unsigned("!=", pixels, ir.Constant(pixels.type, [0] * ROW))
        )

    return types.int64(color, types.int64, types.int64, types.int64), generate


@intrinsic
def marked_as(typing: Any, marked: Any, at: Any, mark: Any) -> Any:
    """Bits of the pixels among `ROW` from flat index `at` with the uint8 `mark`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, wanted = arguments
        here = builder.load(vector_at(context, builder, signature.args[0], array, start, chars(ROW)), align=1)
        same = builder.icmp_unsigned("==", here, spread(builder, builder.trunc(wanted, BYTE), ROW))
        return _bits(context, builder, same)

    return types.int64(marked, types.int64, types.int64), generate


@intrinsic
def lowest(typing: Any, bits: Any) -> Any:
    """Number of the lowest bit of an int64 that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), generate


@intrinsic
def reaching(
    typing: Any, far: Any, at: Any, count: Any, edges: Any, steps: Any, front: Any, z: Any, z_x: Any
) -> Any:
    """Bits of the first `count` pixels from flat index `at` on in which a face may be seen, `ROW` at most.

    None of the int32 `edges`, given for the first pixel and with `steps` per pixel, is negative, and neither
    `front` nor depth `z` (`z_x` per pixel) exceeds `far`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, room, at_first, per_pixel, least, depth, slope = arguments
        within = builder.icmp_signed("<", _NUMBERS, spread(builder, room, ROW))
        near = builder.icmp_signed(">=", _edge_signs(builder, at_first, per_pixel), _ZEROS)
        grown = builder.fmul(spread(builder, slope, ROW), builder.sitofp(_NUMBERS, floats(ROW)))
        here = builder.fadd(spread(builder, depth, ROW), grown)
        bound = vector_at(context, builder, signature.args[0], array, start, floats(ROW))
        known = builder.load(bound, align=4)
        is_visible = builder.and_(
            builder.fcmp_ordered("<=", here, known),
            builder.fcmp_ordered("<=", spread(builder, least, ROW), known),
        )
        return _bits(context, builder, builder.and_(builder.and_(near, within), is_visible))

    three = types.UniTuple(types.int32, 3)
    f32 = types.float32
    return types.int64(far, types.int64, types.int32, three, three, f32, f32, f32), generate


def _place_row(part: int) -> Any:
    """The `part`th of three vectors of `ROW` floats, which hold three coordinates of `ROW` pixels."""
    entries = range(part * ROW, (part + 1) * ROW)

    @intrinsic
    def place(typing: Any, position: Any, at: Any, count: Any, start: Any, steps: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array, first, room, at_first, per_pixel = arguments
            order = [k % 3 for k in entries]
            begin = shuffled(builder, together(builder, at_first, 3), order)
            slope = shuffled(builder, together(builder, per_pixel, 3), order)
            pixel = ir.Constant(floats(ROW), [float(k // 3) for k in entries])
            value = builder.fadd(begin, builder.fmul(slope, pixel))
            three = ir.Constant(LONG, 3)
            index = builder.add(builder.mul(first, three), ir.Constant(LONG, part * ROW))
            pointer = vector_at(context, builder, signature.args[0], array, index, floats(ROW))
            lanes = ir.Constant(ints(ROW), [k // 3 for k in entries])
            within = builder.icmp_signed("<", lanes, spread(builder, room, ROW))
            builder.store(builder.select(within, value, builder.load(pointer, align=4)), pointer, align=4)
            return context.get_dummy_value()

        three = types.UniTuple(types.float32, 3)
        return types.void(position, types.int64, types.int32, three, three), generate

    return place


_place_first, _place_second, _place_third = map(_place_row, range(3))


@inlined
def place_row(position, at, count, start, steps):  # type: ignore[no-untyped-def]
    """Fill up to `ROW` pixels of `position` (H, W, 3) from flat index `at` by planes: starts, steps (3,)."""
    _place_first(position, at, count, start, steps)
    if 3 * count > ROW:
        _place_second(position, at, count, start, steps)
    if 3 * count > 2 * ROW:
        _place_third(position, at, count, start, steps)
