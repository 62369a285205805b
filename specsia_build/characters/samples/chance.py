"""Random draws, and colours that go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]
"""sRGB-encoded, each 0-1."""

WHITE: Colour = (0.97, 0.97, 0.97)
INK: Colour = (0.13, 0.11, 0.13)


@dataclass(frozen=True)
class Chance:
    """What a character is drawn from: the same seed and index give the same draws."""

    rng: np.random.Generator

    @classmethod
    def of(cls, seed: int, index: int) -> Chance:
        return cls(np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, index]))))

    def pick(self, *choices: str, weights: tuple[float, ...] | None = None) -> str:
        """One of the choices, by weight."""
        p = None if weights is None else np.array(weights) / sum(weights)
        return choices[int(self.rng.choice(len(choices), p=p))]

    def between(self, low: float, high: float) -> float:
        """A number of four digits."""
        return round(float(self.rng.uniform(low, high)), 4)

    def true(self, share: float) -> bool:
        """True in a share of all draws."""
        return bool(self.rng.random() < share)

    def colour(self, colours: tuple[Colour, ...]) -> Colour:
        """One of some colours."""
        return colours[int(self.rng.integers(len(colours)))]


def oklch(lightness: float, chroma: float, hue_deg: float) -> Colour:
    """sRGB of an OKLCh colour, clipped to the gamut; lightness 0-1, chroma 0-0.3 (Ottosson, 2020)."""
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
    r, g, b = (_encode(min(max(v, 0.0), 1.0)) for v in linear)
    return r, g, b


def _encode(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def mix(a: Colour, b: Colour, t: float) -> Colour:
    """From `a` at t = 0 to `b` at t = 1."""
    return a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t


def shade(colour: Colour, amount: float) -> Colour:
    """Darker and a little warmer than it was, by 0-1."""
    return mix(colour, (0.12, 0.06, 0.1), amount)


def luma(colour: Colour) -> float:
    """Perceived brightness, 0-1 (Rec. 601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


HUES = ((0, 30, -30, 180), (0, 180, 30, 210), (0, 150, 210, 60), (0, 120, 240, 60), (0, 60, -20, 200))
"""Steps of hue that go together: neighbours, opposites, split opposites, triads."""


def scheme(chance: Chance) -> dict[str, Colour]:
    """Colours of clothes: `top`, `top2`, `bottom`, `bottom2`, `accent`, `light`, `dark` and `leather`."""
    hue, steps = chance.between(0, 360), HUES[int(chance.rng.integers(len(HUES)))]
    mood, plain = chance.between(0.5, 1.15), chance.true(0.18)
    lights = chance.rng.permutation(np.array([0.46, 0.65, 0.84])) + chance.rng.uniform(-0.06, 0.06, 3)
    chroma = [mood * (0.02 if plain else chance.between(0.09, 0.18)) for _ in range(3)]
    main, second, third = (oklch(float(lights[k]), chroma[k], hue + steps[k]) for k in range(3))
    if chance.true(0.35):
        second = oklch(float(chance.rng.choice([0.3, 0.4, 0.5, 0.93])), 0.03, hue + 180)
    leather = oklch(chance.between(0.3, 0.58), chance.between(0.02, 0.09), chance.between(35, 75))
    if chance.true(0.4):
        leather = oklch(chance.between(0.3, 0.75), chance.between(0.03, 0.2), hue + steps[3])
    light, dark = oklch(0.95, 0.02, hue), oklch(0.3, 0.04, hue)
    return {
        "top": main,
        "top2": light if chance.true(0.5) else third,
        "bottom": second,
        "bottom2": light if luma(second) < 0.6 else dark,
        "accent": oklch(chance.between(0.6, 0.86), 0.16, hue + steps[3]),
        "light": light,
        "dark": dark,
        "leather": leather,
        "metal": oklch(chance.between(0.5, 0.85), 0.02, hue),
        "wood": oklch(chance.between(0.38, 0.6), 0.07, 55),
    }
