"""What the scores of an evaluation come to: means, how sure they are, and how methods differ on the same characters."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from specsia_build.dravie.evaluate.evaluate import NOVEL, Evaluation

RESAMPLES, SEED, LEVEL = 10_000, 0, 0.95
"""Of the bootstrap over characters: how often they are drawn anew, by which seed, and the share within an interval."""

FEWEST = 6
"""Characters below which no method is called better: of five, all five differ one way by chance in 1 of 16 cases (the
sign test's 2 / 2^5), which is more than the 1 in 20 that `LEVEL` leaves, and an interval is much too narrow."""

_DRAWN_AT_ONCE = 1 << 20


class Metric(NamedTuple):
    """How a score is shown: heading, with an arrow to where it is better, decimals, and what it says in a few words."""

    heading: str
    decimals: int
    note: str

    @property
    def name(self) -> str:
        return self.heading.rpartition(" ")[0]

    @property
    def better(self) -> str:
        """Which end of it is good."""
        return "high" if "↑" in self.heading else "low"


METRICS: Mapping[str, Metric] = {
    "l1": Metric("L1 ↓", 4, "absolute error over Z ∪ Y*, on white"),
    "psnr": Metric("PSNR ↑", 2, "decibels, over Z ∪ Y*"),
    "ssim": Metric("SSIM ↑", 4, "structural similarity over Z ∪ Y*"),
    "contour_f1": Metric("F1 ↑", 3, "lines of the result and Y*'s dark contour, within 2 px"),
    "l1_interior": Metric("interior L1 ↓", 4, "the same where both silhouettes cover, off the line"),
    "flicker": Metric("flicker ↓", 4, "change from frame to frame that Y* has not"),
    "lpips": Metric("LPIPS ↓", 3, "distance to Y* by AlexNet"),
    "clip": Metric("CLIP ↑", 3, "cosine to Y* by ViT-B/32"),
    "l1_silhouette": Metric("silhouette L1 ↓", 4, "the same where one silhouette covers, off the line"),
    "l1_line": Metric("line L1 ↓", 4, "the same on Y*'s contour"),
    "ssim_frame": Metric("frame SSIM ↑", 4, "structural similarity over the whole frame"),
    "contour_recall": Metric("recall ↑", 3, "share of Y*'s dark contour that is drawn"),
    "contour_precision": Metric("precision ↑", 3, "share of drawn lines that are right"),
    "l1_black": Metric("black L1 ↓", 4, "absolute error on black, wherever it is"),
    "outside": Metric("outside ↓", 4, "paint where neither Z nor Y* has any"),
}
"""Scores in the order of a table's columns."""

COMPARED = ("l1", "psnr", "ssim", "contour_f1", "l1_interior", "flicker", "lpips", "clip")
"""Scores by which methods are compared character by character."""


class Value(NamedTuple):
    """Mean over characters and repeats.

    Attributes:
        mean: of the repeats' means over characters.
        deviation: standard deviation of these, None for one repeat.
        low, high: interval of the mean over characters, None for one character.
    """

    mean: float
    deviation: float | None
    low: float | None = None
    high: float | None = None

    def text(self, decimals: int) -> str:
        """Such as `0.1234 ± 0.0010 [0.1100, 0.1370]`."""
        deviation = "" if self.deviation is None else f" ± {self.deviation:.{decimals}f}"
        return f"{self.mean:.{decimals}f}{deviation}{interval_text(self.low, self.high, decimals)}"


def interval_text(low: float | None, high: float | None, decimals: int) -> str:
    """Such as ` [0.1100, 0.1370]`, empty where there is none."""
    return "" if low is None or high is None else f" [{low:.{decimals}f}, {high:.{decimals}f}]"


Key = tuple[str, str, str, str]
"""Configuration, method, kind of view, score."""


@dataclass(frozen=True)
class Summary:
    """Means over characters and repeats; `characters` has the mean over repeats of each character, by its id."""

    values: Mapping[Key, Value]
    characters: Mapping[Key, Mapping[str, float]]

    def mean(self, config: str, method: str, name: str) -> float | None:
        """Of novel views; None for what was not measured."""
        value = self.values.get((config, method, NOVEL, name))
        return None if value is None else value.mean


@dataclass(frozen=True)
class Difference:
    """How a trained method differs from the best baseline in a score of novel views, on the same characters.

    Attributes:
        config, method, baseline, score: what is compared.
        characters: how many have the score.
        mean: of the characters' differences, the method's value less the baseline's.
        low, high: interval of that mean, None for one character.
    """

    config: str
    method: str
    baseline: str
    score: str
    characters: int
    mean: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves out zero, else `not significant`; or `too few characters`."""
        if self.characters < FEWEST:
            return "too few characters"
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "not significant"
        return "better" if (self.mean < 0) == (METRICS[self.score].better == "low") else "worse"


def bootstrap(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Interval of a mean over characters: of all means that as many characters, drawn with return, give.

    Returns:
        The bounds that leave out equal shares of the `RESAMPLES` means and keep `LEVEL`; None twice for fewer than two.
    """
    if len(values) < 2:
        return None, None
    sample, count = np.asarray(values, np.float64), len(values)
    rng, means = np.random.default_rng(SEED), np.empty(RESAMPLES)
    # Some at once, of which the same are drawn as of all, so that memory does not grow with the characters.
    for part in np.array_split(means, min(RESAMPLES, 1 + RESAMPLES * count // _DRAWN_AT_ONCE)):
        part[:] = sample[rng.integers(0, count, (len(part), count))].mean(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def by_character(evaluation: Evaluation) -> dict[tuple[str, str, int, str, str, str], float]:
    """Mean over views of each score, by configuration, method, repeat, kind of view, character and score."""
    values: dict[tuple[str, str, int, str, str, str], list[float]] = {}
    for score in evaluation.scores:
        for name, value in score.values.items():
            # The flicker of a clip is kept with its first frame, which may be the frontal one.
            kind = NOVEL if name == "flicker" else score.kind
            values.setdefault((score.config, score.method, score.repeat, kind, score.character, name), []).append(value)
    return {key: float(np.mean(found)) for key, found in values.items()}


def summarise(evaluation: Evaluation) -> Summary:
    """Means over characters and repeats, their deviation over repeats and their interval over characters."""
    repeats: dict[Key, dict[int, list[float]]] = {}
    each: dict[Key, dict[str, list[float]]] = {}
    for (config, method, repeat, kind, character, name), value in by_character(evaluation).items():
        key = (config, method, kind, name)
        repeats.setdefault(key, {}).setdefault(repeat, []).append(value)
        each.setdefault(key, {}).setdefault(character, []).append(value)
    characters = {key: {c: float(np.mean(values)) for c, values in of.items()} for key, of in each.items()}
    values = {}
    for key, of in repeats.items():
        means = [float(np.mean(part)) for part in of.values()]
        deviation = float(np.std(means, ddof=1)) if len(means) > 1 else None
        values[key] = Value(float(np.mean(means)), deviation, *bootstrap(list(characters[key].values())))
    return Summary(values, characters)


def differences(evaluation: Evaluation, summary: Summary) -> Iterator[Difference]:
    """Each trained method against the baseline that is best in that score; all were given the same drawing."""
    methods = [evaluation.method(label) for label in evaluation.labels]
    baselines = [method.label for method in methods if method.seen is None]
    trained = [method.label for method in methods if method.seen is not None]
    for config, label, score in itertools.product(evaluation.configs, trained, COMPARED):
        sign = 1 if METRICS[score].better == "low" else -1
        means = {name: sign * mean for name in baselines if (mean := summary.mean(config, name, score)) is not None}
        ours = summary.characters.get((config, label, NOVEL, score), {})
        if means and ours:
            best = min(means, key=means.__getitem__)
            theirs = summary.characters[config, best, NOVEL, score]
            apart = [value - theirs[character] for character, value in ours.items() if character in theirs]
            yield Difference(config, label, best, score, len(apart), float(np.mean(apart)), *bootstrap(apart))
