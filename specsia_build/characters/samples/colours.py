"""Colours that go together: drawn by hue in OKLCh, given as sRGB-encoded RGB in 0-1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


def oklch(lightness: float, chroma: float, hue_deg: float) -> Colour:
    """sRGB of an OKLCh colour, clipped to the gamut; lightness 0-1, chroma 0-0.3, hue in degrees."""
    hue = np.deg2rad(hue_deg)
    a, b = chroma * float(np.cos(hue)), chroma * float(np.sin(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    r, g, b = (encode(min(max(v, 0.0), 1.0)) for v in linear)
    return r, g, b


def encode(linear: float) -> float:
    """sRGB-encoded value of a linear one."""
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """From `a` at t = 0 to `b` at t = 1."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def shade(colour: Colour, amount: float) -> Colour:
    """Darker and a little cooler by `amount` 0-1; lighter where it is negative."""
    return mix(colour, (0.12, 0.07, 0.2), amount) if amount >= 0 else mix(colour, (1.0, 0.99, 0.96), -amount)


def luma(colour: Colour) -> float:
    """How light a colour looks, 0-1."""
    return 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]


WHITE: Colour = (0.96, 0.95, 0.93)
INK: Colour = (0.13, 0.1, 0.14)

SKIN: tuple[Colour, ...] = (
    (0.99, 0.87, 0.77), (0.98, 0.81, 0.68), (0.94, 0.74, 0.57), (0.85, 0.62, 0.44),
    (0.72, 0.48, 0.33), (0.55, 0.35, 0.24), (0.42, 0.27, 0.2),
)  # fmt: skip
HAIR: tuple[Colour, ...] = (
    (0.16, 0.13, 0.15), (0.27, 0.18, 0.14), (0.42, 0.26, 0.16), (0.6, 0.38, 0.2), (0.86, 0.66, 0.33),
    (0.95, 0.83, 0.55), (0.75, 0.33, 0.16), (0.85, 0.84, 0.83), (0.55, 0.53, 0.55),
)  # fmt: skip
FUR: tuple[Colour, ...] = (
    (0.94, 0.67, 0.34), (0.62, 0.44, 0.3), (0.42, 0.3, 0.23), (0.93, 0.88, 0.8), (0.66, 0.64, 0.65),
    (0.34, 0.33, 0.37), (0.86, 0.74, 0.57), (0.78, 0.5, 0.33), (0.97, 0.94, 0.9),
)  # fmt: skip


@dataclass(frozen=True)
class Scheme:
    """Colours of one character's clothes.

    Attributes:
        main, second, third: garments, in order of area.
        accent: small things that should stand out.
        light, dark: near white and near black of the scheme's temperature.
        leather: shoes, belts and bags.
    """

    main: Colour
    second: Colour
    third: Colour
    accent: Colour
    light: Colour
    dark: Colour
    leather: Colour


_HUE_STEPS = ((0, 30, -30, 180), (0, 180, 30, 210), (0, 150, 210, 60), (0, 120, 240, 60), (0, 60, -20, 200))


def draw_scheme(rng: np.random.Generator) -> Scheme:
    """A scheme of related hues: neighbours, opposites, split opposites or triads."""
    hue = float(rng.uniform(0, 360))
    steps = _HUE_STEPS[int(rng.integers(len(_HUE_STEPS)))]
    mood = float(rng.uniform(0.6, 1.15))
    lights = rng.permutation(np.array([0.48, 0.66, 0.82])) + rng.uniform(-0.05, 0.05, 3)
    chroma = mood * rng.uniform(0.09, 0.17, 3)
    main, second, third = (oklch(float(lights[k]), float(chroma[k]), hue + steps[k]) for k in range(3))
    if rng.random() < 0.3:
        second = oklch(float(rng.choice(np.array([0.32, 0.4, 0.93]))), 0.03, hue + 180)
    leather = oklch(float(rng.uniform(0.32, 0.55)), float(rng.uniform(0.03, 0.09)), float(rng.uniform(35, 75)))
    if rng.random() < 0.4:
        leather = oklch(float(rng.uniform(0.35, 0.7)), float(rng.uniform(0.05, 0.2)), hue + steps[3])
    return Scheme(
        main, second, third,
        accent=oklch(float(rng.uniform(0.72, 0.86)), 0.16, hue + steps[3]),
        light=oklch(0.95, 0.02, hue), dark=oklch(0.3, 0.04, hue), leather=leather,
    )  # fmt: skip
