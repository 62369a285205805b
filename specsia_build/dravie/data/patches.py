"""Training patches, sampled, cut, augmented and encoded by compiled code.

A batch is a pure function of the seed and the step: every choice is a hash of them, the patch's number in the
batch and the choice's. A resumed training therefore needs no state of the loader, and threads change nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from specsia_build.dravie.config import TrainConfig
from specsia_build.dravie.data.encoding import (
    GUIDED,
    HINTS,
    NO_CODE,
    STYLE_CHANNELS,
    TARGET_CHANNELS,
    input_channels,
    put_input,
    put_picture,
)
from specsia_build.dravie.data.frames import PIXEL_BYTES, Extent, FrameArrays
from specsia_build.dravie.look_up import FAR, LOOKED_UP_CHANNELS, PALETTE_FALLOFF
from specsia_build.jit import compiled, inlined
from specsia_build.pool import map_ahead

Batch: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Inputs (N, size, size, C) and targets (N, size, size, 4), in [-1, 1]."""

SHARES = "no_drawing", "no_contour", "redrawn", "other_back"  # Settings that are shares of patches
ZERO, ONE = np.float32(0), np.float32(1)
_PLAIN = np.float32(0.5)  # Share of patches that keep their hue
TURNED = np.float32(0.8)  # Share of patches whose positions are turned
_DARKEST, BRIGHTEST = np.float32(0.7), np.float32(1.3)
"""Factors between which the value (of hue, saturation, value) is changed; full value is as far as it goes."""

_AHEAD = 4  # Batches that are computed ahead
LOW_CONTRAST, FAINTEST = np.float32(0.3), np.float32(0.25)
"""Share of patches whose colours are drawn towards a grey, and the smallest factor of their differences.
Without these patches a network takes hair whose colour is close to that of the skin for damage, and paints a
face at the back."""

# Largest shift in pixels and scaling of a redrawn drawing
MOST_SHIFT, MOST_SCALE = np.float32(4), np.float32(0.05)
# Largest change of its hue in sixths, and of its value
MOST_TURN, _MOST_SHADE = np.float32(0.25), np.float32(0.15)
GAMMA = np.float32(2.2)  # Approximate gamma of sRGB, to remove the contour from pixels that it covers in part
_OFFSET, _, _, _HEIGHT, _WIDTH, _FIRST_RUN, _RUNS, _CENTRES, _THICKNESS, _INK = range(len(Extent._fields))
_ROW, _CENTRE, _MIRROR, _TURNED, _HUE, _VALUE, _SEEN, _ANGLE = range(1, 9)
_DROP, _BARE, _REDRAW, _SHIFT_X, _SHIFT_Y, _SCALE, _OTHER_HUE, _OTHER_VALUE = range(9, 17)
_FAINT, _CONTRAST, _PIVOT, _OTHER_BACK, _BACK_HUE, _BACK_VALUE = range(17, 23)


class _Recolouring(NamedTuple):
    """How the colours of a patch change."""

    turn: np.float32  # Of the hue, in sixths of a circle
    value: np.float32  # Factor of the value
    contrast: np.float32  # Factor of the differences from `pivot`
    pivot: np.float32  # A grey level


class _Choices(NamedTuple):
    """What is drawn at random for a patch."""

    mirror: bool
    turned: tuple[np.float32, np.float32]  # Cosine and sine by which positions are turned
    recolouring: _Recolouring
    other_back: bool  # Whether places that the drawing does not show change otherwise
    of_back: _Recolouring  # And how
    with_drawing: bool
    bare: bool  # Whether the contour is missing
    redrawn: bool  # Whether the drawing fits the figure less than exactly
    shift: tuple[np.float32, np.float32, np.float32]  # Of a redrawn drawing: x and y in pixels, and scale
    of_drawing: _Recolouring


@inlined
def _hashed(x):  # type: ignore[no-untyped-def]
    """SplitMix64 of a uint64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@inlined
def _below(key, choice, count):  # type: ignore[no-untyped-def]
    """A whole number in [0, count), count < 2**32."""
    high = _hashed(key + np.uint64(choice)) >> np.uint64(32)
    return np.int64((high * np.uint64(count)) >> np.uint64(32))


@inlined
def _unit(key, choice):  # type: ignore[no-untyped-def]
    """A float32 in [0, 1)."""
    return np.float32(_hashed(key + np.uint64(choice)) >> np.uint64(40)) * np.float32(2.0**-24)


@inlined
def _around(key, choice, most):  # type: ignore[no-untyped-def]
    """A float32 in [-most, most)."""
    return most * (np.float32(2) * _unit(key, choice) - np.float32(1))


@inlined
def _recoloured(out, recolouring):  # type: ignore[no-untyped-def]
    """Change a colour `out` (3,) of float32 levels as a `_Recolouring` says."""
    turn, value, contrast, pivot = recolouring
    red = out[0]
    green = out[1]
    blue = out[2]
    most, least = max(red, green, blue), min(red, green, blue)
    chroma = most - least
    scale = min(value, np.float32(255) / max(most, np.float32(1)))
    if chroma != 0 and turn != 0:
        if most == red:
            hue = (green - blue) / chroma + np.float32(6)
        elif most == green:
            hue = (blue - red) / chroma + np.float32(2)
        else:
            hue = (red - green) / chroma + np.float32(4)
        for c in range(3):
            k = hue + turn + np.float32(5 - 2 * c)
            while k >= np.float32(6):
                k -= np.float32(6)
            out[c] = most - chroma * max(np.float32(0), min(k, np.float32(4) - k, np.float32(1)))
    for c in range(3):
        out[c] = pivot + contrast * (min(out[c] * scale, np.float32(255)) - pivot)


@inlined
def _about(across, depth, turned):  # type: ignore[no-untyped-def]
    """Turn levels of x and -y about the middle of their box, clipped to 0…255; exact where nothing turns."""
    cosine, sine = turned
    if sine == 0:
        return across, depth
    x, y = across - np.float32(127.5), depth - np.float32(127.5)
    x, y = cosine * x + sine * y + np.float32(127.5), cosine * y - sine * x + np.float32(127.5)
    return min(max(x, ZERO), np.float32(255)), min(max(y, ZERO), np.float32(255))


@inlined
def _bare(target, alpha, covered, ink):  # type: ignore[no-untyped-def]
    """Remove a contour `ink`, `0xRRGGBB`, from a colour (3,) of coverage `alpha`, `covered` of it figure."""
    if 0 < covered < alpha:
        share = np.float32(covered) / np.float32(alpha)
        for c in range(3):
            line = (np.float32((ink >> (16 - 8 * c)) & 255) / np.float32(255)) ** GAMMA
            light = ((target[c] / np.float32(255)) ** GAMMA - (np.float32(1) - share) * line) / share
            light = min(max(light, ZERO), ONE)
            target[c] = np.float32(255) * light ** (ONE / GAMMA)


@inlined
def _chosen(key, extent, augmentation, guided):  # type: ignore[no-untyped-def]
    """Draw the `_Choices` of a patch in a frame; see `_cut`."""
    recolours, turns, shares = augmentation
    mirror = (recolours or turns) and _unit(key, _MIRROR) < np.float32(0.5)
    turn = pivot = ZERO
    value = contrast = ONE
    cosine, sine = ONE, ZERO
    if turns and _unit(key, _SEEN) < TURNED:
        angle = np.float32(2 * np.pi) * _unit(key, _ANGLE)
        cosine, sine = np.cos(angle), np.sin(angle)
    if recolours:
        value = _DARKEST + (BRIGHTEST - _DARKEST) * _unit(key, _VALUE)
        if _unit(key, _TURNED) >= _PLAIN:
            turn = np.float32(6) * _unit(key, _HUE)
        if _unit(key, _FAINT) < LOW_CONTRAST:
            contrast = FAINTEST + (ONE - FAINTEST) * _unit(key, _CONTRAST)
            pivot = np.float32(255) * _unit(key, _PIVOT)
    with_drawing = guided and _unit(key, _DROP) >= shares[0]
    bare = with_drawing and extent[_INK] >= 0 and _unit(key, _BARE) < shares[1]
    redrawn = with_drawing and _unit(key, _REDRAW) < shares[2]
    other_back = with_drawing and _unit(key, _OTHER_BACK) < shares[3]
    back_turn = np.float32(6) * _unit(key, _BACK_HUE)
    back_value = _DARKEST + (BRIGHTEST - _DARKEST) * _unit(key, _BACK_VALUE)
    shift_x = shift_y = scale = ZERO
    other_turn, other_value = turn, value
    if redrawn:
        shift_x, shift_y = _around(key, _SHIFT_X, MOST_SHIFT), _around(key, _SHIFT_Y, MOST_SHIFT)
        scale = _around(key, _SCALE, MOST_SCALE)
        other_turn = (turn + _around(key, _OTHER_HUE, MOST_TURN) + np.float32(6)) % np.float32(6)
        other_value = value * (np.float32(1) + _around(key, _OTHER_VALUE, _MOST_SHADE))
    return _Choices(
        mirror,
        (cosine, sine),
        _Recolouring(turn, value, contrast, pivot),
        other_back,
        _Recolouring(back_turn, back_value, contrast, pivot),
        with_drawing,
        bare,
        redrawn,
        (shift_x, shift_y, scale),
        _Recolouring(other_turn, other_value, contrast, pivot),
    )


@inlined
def _centre(nth, extent, runs):  # type: ignore[no-untyped-def]
    """Row and column of the n-th pixel of a frame on which a patch may be centred."""
    low, high = extent[_FIRST_RUN], extent[_FIRST_RUN] + extent[_RUNS]
    while high - low > 1:
        middle = (low + high) // 2
        if runs[middle, 0] <= nth:
            low = middle
        else:
            high = middle
    return runs[low, 1], runs[low, 2] + nth - runs[low, 0]


@inlined
def _shifted(at, place, shift, extent, pixels):  # type: ignore[no-untyped-def]
    """Index in `pixels` of what a shifted drawing shows at a place; `at`, the place's own, off the figure."""
    v, u = place
    shift_x, shift_y, scale = shift
    height, width = extent[_HEIGHT], extent[_WIDTH]
    v += np.int64(np.rint(shift_y + scale * (v - height // 2)))
    u += np.int64(np.rint(shift_x + scale * (u - width // 2)))
    if 0 <= v < height and 0 <= u < width:
        other = extent[_OFFSET] + (v * width + u) * PIXEL_BYTES
        if pixels[other + 3] != 0:
            return other
    return at


@inlined
def _fit(colour, looked_up):  # type: ignore[no-untyped-def]
    """Confidence, 0 to 255, that Z's `colour` shows the palette's colour in `looked_up` (12,)."""
    difference = ZERO
    for c in range(3):
        difference += abs(colour[c] - looked_up[8 + c])
    return np.float32(255) * np.exp(-difference / np.float32(PALETTE_FALLOFF))


@compiled
def _cut(frames, place, draw, augmentation, out):  # type: ignore[no-untyped-def]
    """Fill the patches `out`, inputs and targets, whose row is in these frames: pixels, runs and extents.

    Args:
        frames: pixels, runs and extents, see `FrameArrays`.
        place: number of the first row, and number of all rows.
        draw: seed and step.
        augmentation: whether to recolour and to turn, and shares `no_drawing`, `no_contour`, `redrawn`
            and `other_back`.
        out: inputs and targets.
    """
    pixels, runs, extents = frames
    seed, step = draw
    recolours = augmentation[0]
    inputs, targets = out
    size, guided = inputs.shape[1], inputs.shape[3] == GUIDED
    colour = np.empty(4, np.float32)
    target = np.empty(4, np.float32)
    position = np.empty(3, np.float32)
    looked_up, style = np.zeros(LOOKED_UP_CHANNELS, np.float32), np.zeros(STYLE_CHANNELS, np.float32)
    nothing = np.zeros(LOOKED_UP_CHANNELS, np.float32)
    for slot in range(len(inputs)):
        # All random choices of a patch are hashed from this.
        key = _hashed(_hashed(_hashed(np.uint64(seed)) + np.uint64(step)) + np.uint64(slot))
        row = _below(key, _ROW, place[1]) - place[0]
        if row < 0 or row >= len(extents):
            continue
        extent = extents[row]
        height, width = extent[_HEIGHT], extent[_WIDTH]
        centre_y, centre_x = _centre(_below(key, _CENTRE, extent[_CENTRES]), extent, runs)
        chosen = _chosen(key, extent, augmentation, guided)
        lined = chosen.with_drawing and not chosen.bare
        style[0] = np.float32(extent[_THICKNESS]) if lined else ZERO
        style[1:] = np.float32(255) if chosen.bare else ZERO
        for y in range(size):
            v = centre_y + y - size // 2
            for x in range(size):
                u = centre_x - (x - size // 2) if chosen.mirror else centre_x + (x - size // 2)
                input_pixel, target_pixel = inputs[slot, y, x], targets[slot, y, x]
                if lined:
                    # Beyond the box the contour's colour is that of the box's edge.
                    inner = min(max(v, 0), height - 1) * width + min(max(u, 0), width - 1)
                    for c in range(3):
                        style[1 + c] = pixels[extent[_OFFSET] + inner * PIXEL_BYTES + 24 + c]
                    if recolours and style[0] > 0:
                        _recoloured(style[1:], chosen.recolouring)
                if v < 0 or v >= height or u < 0 or u >= width:
                    put_input(input_pixel, nothing, nothing, nothing, style)
                    put_picture(target_pixel, nothing)
                    continue
                at = extent[_OFFSET] + (v * width + u) * PIXEL_BYTES
                p = pixels[at : at + PIXEL_BYTES]
                for c in range(4):
                    colour[c], target[c] = p[c], p[7 + c]
                if chosen.bare:
                    _bare(target, p[10], p[11], extent[_INK])
                    target[3] = p[11]
                hidden = chosen.other_back and colour[3] > 0 and p[15] < FAR
                if recolours or hidden:
                    recolouring = chosen.of_back if hidden else chosen.recolouring
                    if colour[3] > 0:
                        _recoloured(colour, recolouring)
                    if target[3] > 0:
                        _recoloured(target, recolouring)
                # Zpos is the place on the character: a mirrored one has its left where its right was.
                across = np.float32(255 - p[4] if chosen.mirror else p[4])
                position[0], position[2] = _about(across, np.float32(p[6]), chosen.turned)
                position[1] = p[5]
                if chosen.with_drawing:
                    other = _shifted(at, (v, u), chosen.shift, extent, pixels) if chosen.redrawn else at
                    for c in range(LOOKED_UP_CHANNELS):
                        looked_up[c] = p[12 + c] if c % 4 == 3 else pixels[other + 12 + c]
                    if recolours or chosen.redrawn:
                        for c in range(0, LOOKED_UP_CHANNELS, 4):
                            if c > 0 or looked_up[3] > 0:
                                _recoloured(looked_up[c : c + 3], chosen.of_drawing)
                    if hidden:
                        looked_up[11] = min(looked_up[11], _fit(colour, looked_up))
                put_input(input_pixel, colour, position, looked_up, style)
                put_picture(target_pixel, target)


@dataclass(frozen=True)
class PatchSampler:
    """Patches centred on foreground pixels: a row of `frames` drawn uniformly, then one of its pixels."""

    frames: Sequence[FrameArrays]
    config: TrainConfig

    def batch(self, step: int) -> Batch:
        """Draw the patches of a step."""
        config = self.config
        shape = (config.batch, config.patch, config.patch)
        inputs = np.empty((*shape, input_channels(config.model)), np.float32)
        targets = np.empty((*shape, TARGET_CHANNELS), np.float32)
        shares = np.array([getattr(config, name) for name in SHARES], np.float32)
        augmentation = config.augment == "colours", config.augment == "turn", shares
        first, count = 0, sum(map(len, self.frames))
        for part in self.frames:
            frames = part.pixels, part.runs, part.extents
            _cut(frames, (first, count), (config.seed, step), augmentation, (inputs, targets))
            first += len(part)
        if not config.positions:
            inputs[..., HINTS] = NO_CODE
        return inputs, targets


def prefetched(sampler: PatchSampler, start: int, stop: int, threads: int = 1) -> Iterator[Batch]:
    """Yield the batches of steps `start` to `stop` - 1 in order; threads draw them ahead of their use."""
    with ThreadPoolExecutor(threads) as pool:
        yield from map_ahead(pool, sampler.batch, range(start, stop), _AHEAD)
