"""Several numbers at once, where numba's own loops compile to many times as many instructions.

What such code is made of, and the samples of a pixel.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from specsia_build.jit import intrinsic, types

LANES = 64  # Bits of a mask

LANE_INDEX = ir.IntType(32)
BYTE, LONG = ir.IntType(8), ir.IntType(64)


def floats(count: int) -> Any:
    """Type of a vector of float32."""
    return ir.VectorType(ir.FloatType(), count)


def ints(count: int) -> Any:
    """Type of a vector of int32."""
    return ir.VectorType(LANE_INDEX, count)


def chars(count: int) -> Any:
    """Type of a vector of bytes."""
    return ir.VectorType(BYTE, count)


def spread(builder: Any, value: Any, count: int) -> Any:
    """A number in each of `count` lanes."""
    empty = ir.Constant(ir.VectorType(value.type, count), ir.Undefined)
    one = builder.insert_element(empty, value, ir.Constant(LANE_INDEX, 0))
    return shuffled(builder, one, [0] * count)


def shuffled(builder: Any, value: Any, lanes: list[int], other: Any = None) -> Any:
    """A vector of the given lanes of another, or of two, one after the other."""
    other = ir.Constant(value.type, ir.Undefined) if other is None else other
    return builder.shuffle_vector(value, other, ir.Constant(ints(len(lanes)), lanes))


def vector_at(context: Any, builder: Any, array_type: Any, array: Any, index: Any, vector: Any) -> Any:
    """Pointer to neighbouring elements of a contiguous array, whatever its shape, as one `vector`."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def together(builder: Any, values: Any, count: int) -> Any:
    """A vector of the numbers of a tuple."""
    parts = [builder.extract_value(values, k) for k in range(count)]
    vector = ir.Constant(ir.VectorType(parts[0].type, count), ir.Undefined)
    for k, part in enumerate(parts):
        vector = builder.insert_element(vector, part, ir.Constant(LANE_INDEX, k))
    return vector


def half_plane(offset_x: NDArray[np.int32], offset_y: NDArray[np.int32]) -> Any:
    """A compiled function of (at, step_x, step_y) float32: the lanes, as uint64, at which at + step_x * x +
    step_y * y is not negative, for offsets x, y (LANES,) of samples from the centre.

    Products and sums are rounded one by one, the same on every machine.
    """
    lanes_x = ir.Constant(floats(LANES), [float(x) for x in offset_x])
    lanes_y = ir.Constant(floats(LANES), [float(y) for y in offset_y])
    zero = ir.Constant(floats(LANES), [0.0] * LANES)

    @intrinsic
    def not_negative(typing: Any, at: Any, step_x: Any, step_y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            start, right, down = (spread(builder, argument, LANES) for argument in arguments)
            # The slopes' part first: it stays the same from pixel to pixel.
            grown = builder.fadd(builder.fmul(right, lanes_x), builder.fmul(down, lanes_y))
            value = builder.fadd(start, grown)
            return builder.bitcast(builder.fcmp_ordered(">=", value, zero), ir.IntType(LANES))

        return types.uint64(types.float32, types.float32, types.float32), generate

    return not_negative


def triangle(offset_x: NDArray[np.int32], offset_y: NDArray[np.int32]) -> Any:
    """A compiled function of three edge functions: the lanes, as uint64, at which none of them is negative,
    for offsets x, y (LANES,) of samples from the centre. Each is given by an int32 at the centre and its
    steps right and down."""
    lanes_x, lanes_y = (ir.Constant(ints(LANES), offsets.tolist()) for offsets in (offset_x, offset_y))

    @intrinsic
    def not_negative(typing: Any, at: Any, steps_x: Any, steps_y: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            signs = ir.Constant(ints(LANES), [0] * LANES)
            for k in range(3):
                start, right, down = (spread(builder, builder.extract_value(a, k), LANES) for a in arguments)
                # The slopes' part first: it stays the same from pixel to pixel.
                grown = builder.add(builder.mul(right, lanes_x), builder.mul(down, lanes_y))
                signs = builder.or_(signs, builder.add(start, grown))
            inside = builder.icmp_signed(">=", signs, ir.Constant(ints(LANES), [0] * LANES))
            return builder.bitcast(inside, ir.IntType(LANES))

        three = types.UniTuple(types.int32, 3)
        return types.uint64(three, three, three), generate

    return not_negative


@intrinsic
def equal(typing: Any, values: Any, at: Any, wanted: Any) -> Any:
    """The lanes, as uint64, of `LANES` int32 from flat index `at` that are `wanted`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, value = arguments
        here = builder.load(
            vector_at(context, builder, signature.args[0], array, start, ints(LANES)), align=4
        )
        return builder.bitcast(
            builder.icmp_signed("==", here, spread(builder, value, LANES)), ir.IntType(LANES)
        )

    return types.uint64(values, types.int64, types.int32), generate


@intrinsic
def dim(typing: Any, through: Any, at: Any, mask: Any, opacity: Any, least: Any) -> Any:
    """Let a surface of one opacity take its share of the light that passes the samples of a pixel.

    `LANES` float32 of `through`, from flat index `at`, are lessened where `mask`, uint64, has a bit. Returns
    what was taken of all lanes together, float32, and the lanes, uint64, that still let `least` or more pass.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, wanted, share, bound = arguments
        pointer = vector_at(context, builder, signature.args[0], array, start, floats(LANES))
        here = builder.load(pointer, align=4)
        held = builder.bitcast(wanted, ir.VectorType(ir.IntType(1), LANES))
        taken = builder.fmul(here, spread(builder, share, LANES))
        taken = builder.select(held, taken, ir.Constant(floats(LANES), [0.0] * LANES))
        left = builder.fsub(here, taken)
        builder.store(left, pointer, align=4)
        bright = builder.bitcast(builder.fcmp_ordered(">=", left, spread(builder, bound, LANES)), LONG)
        # Halves are added lane by lane, so that the sum is the same on every machine.
        count = LANES
        while count > 1:
            count //= 2
            halves = [shuffled(builder, taken, list(range(k, k + count))) for k in (0, count)]
            taken = builder.fadd(*halves)
        total = builder.extract_element(taken, ir.Constant(LANE_INDEX, 0))
        return context.make_tuple(builder, signature.return_type, [total, bright])

    f32, u64 = types.float32, types.uint64
    return types.Tuple((f32, u64))(through, types.int64, u64, f32, f32), generate
