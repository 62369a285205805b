"""What an evaluation measured: the scores of each view by each method. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specsia_build.arrays import Doubles

if TYPE_CHECKING:
    from specsia_build.dravie.evaluate.methods import Method

FRONTAL, NOVEL = "frontal", "novel"
"""Kinds of views: number 0 (of clips, its first frame), which methods are fitted to, and all others."""


@dataclass(frozen=True)
class Score:
    """Scores of one view; `flicker` of a clip is among those of its first frame."""

    config: str
    method: str
    repeat: int
    character: str
    view: int
    row: int
    values: dict[str, float]
    frontal: bool = False
    clip: str | None = None
    frame: int | None = None
    time: float | None = None
    action: str | None = None

    @property
    def kind(self) -> str:
        """`frontal` or `novel`."""
        return FRONTAL if self.frontal else NOVEL


FeatureSets = dict[tuple[str, str, str, int], dict[str, list[tuple[Doubles, Doubles]]]]
"""Features (D,) of each result and of its Y*, by configuration, method, kind of view and repeat, and then by
character."""


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation; `notes` are sentences about what could not be measured."""

    dataset: str
    split: str
    configs: tuple[str, ...]
    methods: tuple[Method, ...]
    scores: tuple[Score, ...]
    notes: tuple[str, ...] = ()
    features: FeatureSets = field(default_factory=dict)

    def labels(self, trained: bool | None = None) -> tuple[str, ...]:
        """Labels of the methods, each once, in order: of all, of the trained ones, or of the baselines."""
        return tuple(dict.fromkeys(m.label for m in self.methods if trained in (None, m.seen is not None)))
