"""Where a character's joints are, by VRM's names for those of a humanoid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from specsia_build.characters.samples.body import Frame
from specsia_build.characters.samples.extras import tail_points
from specsia_build.characters.samples.head import Skull
from specsia_build.characters.samples.solid import Vector, by
from specsia_build.characters.samples.traits import Build

SIDES = ((1, "left"), (-1, "right"))

MOVING_EARS = frozenset({"elf", "cat", "bunny", "dish", "fluffy", "floppy", "fold", "side", "fan", "tuft", "fin"})
"""Kinds of ears that have a joint."""


@dataclass
class Joints:
    """Joints in the order in which they are added, every parent before its children.

    Attributes:
        names: of the joints.
        parents: by index, -1 for roots.
        places: (3,) each, OBJ axes.
    """

    names: list[str] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    places: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, name: str, parent: str, place: Vector) -> None:
        self.parents.append(self[parent] if parent else -1)
        self.names.append(name)
        self.places.append(np.asarray(place, np.float64))

    def __getitem__(self, name: str) -> int:
        return self.names.index(name)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def at(self, name: str) -> NDArray[np.float64]:
        return self.places[self[name]]

    def heights(self, *names: str) -> Sequence[float]:
        return [float(self.at(name)[1]) for name in names]


def joints_of(build: Build, frame: Frame, skull: Skull, ears: str, tail: str) -> Joints:
    """The joints of a body; `ears` and `tail` are kinds, empty for none."""
    span, made = build.neck - build.crotch, Joints()
    made.add("hips", "", (0, build.crotch + 0.2 * span, 0))
    made.add("spine", "hips", (0, build.crotch + 0.36 * span, 0))
    made.add("chest", "spine", (0, build.crotch + 0.6 * span, 0))
    made.add("neck", "chest", (0, build.neck - 0.08, 0))
    made.add("head", "neck", (0, build.neck, 0))
    for side, name in SIDES:
        mirror = (side, 1.0, 1.0)
        shoulder, wrist = np.array(frame.shoulder) * mirror, np.array(frame.wrist) * mirror
        made.add(f"{name}UpperArm", "chest", shoulder)
        made.add(f"{name}LowerArm", f"{name}UpperArm", (shoulder + wrist) / 2)
        made.add(f"{name}Hand", f"{name}LowerArm", wrist)
    for side, name in SIDES:
        mirror = (side, 1.0, 1.0)
        hip, ankle = np.array(frame.hip) * mirror, np.array(frame.ankle) * mirror
        made.add(f"{name}UpperLeg", "hips", hip)
        made.add(f"{name}LowerLeg", f"{name}UpperLeg", (hip + ankle) / 2)
        made.add(f"{name}Foot", f"{name}LowerLeg", ankle)
        made.add(f"{name}Toes", f"{name}Foot", ankle * (1, 0, 1) + by(0, 0, 0.12 + 0.6 * max(build.ankle, 0.075)))
    if ears in MOVING_EARS:
        for side, name in SIDES:
            made.add(f"{name}Ear", "head", skull.at(side * 0.8, 0.1, -0.05) if ears in ("side", "fan", "fin") else
                     skull.at(side * 0.6, 0.65, -0.05))  # fmt: skip
    for k, point in enumerate(tail_points(build, tail)):
        made.add(f"tail{k + 1}", f"tail{k}" if k else "hips", point)
    return made
