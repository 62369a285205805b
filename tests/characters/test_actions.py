"""Which actions a pose means."""

from __future__ import annotations

import pytest

from specsia_build.characters.actions import chosen, matching

MAN = ("HumanArmature|HumanArmature|Man_Idle", "HumanArmature|HumanArmature|Man_Walk", "HumanArmature|Man_Walk@run")
ZOMBIE = ("Zombie|ZombieBite", "Zombie|ZombieWalk")
PLAIN = ("Idle", "Idle_Gun", "Take@2")


@pytest.mark.parametrize(
    ("names", "pose", "indices", "frame"),
    [
        (MAN, "HumanArmature|HumanArmature|Man_Idle", [0], None),
        (MAN, "Idle", [0], None),
        (MAN, "Walk@12", [1], 12.0),
        (MAN, "Walk@run@3", [2], 3.0),
        (MAN, "dle", [], None),
        (MAN, "Walk@nan", [], None),
        (MAN, "walk@12", [1], 12.0),
        (MAN, "", [], None),
        (ZOMBIE, "Bite", [0], None),
        (ZOMBIE, "ite", [], None),
        (PLAIN, "Idle", [0], None),
        (PLAIN, "Gun", [], None),
        (PLAIN, "Take@2@5", [2], 5.0),
        (("A|Walk", "B|Walk"), "Walk", [0, 1], None),
        ((), "Walk", [], None),
    ],
)
def test_an_action_is_named_whole_by_its_end_or_without_what_all_begin_with(
    names: tuple[str, ...], pose: str, indices: list[int], frame: float | None
) -> None:
    assert chosen(names, pose) == (indices, frame)


@pytest.mark.parametrize(
    ("names", "pattern", "indices"),
    [
        (MAN, "Walk*", [1, 2]),
        (MAN, "*Walk", [1]),
        (MAN, "walk", [1]),
        (("Walk", "walk"), "walk", [1]),
        (MAN, "Man_[IW]*", [0, 1, 2]),
        (("AnimalArmature|Walk",), "Walk", [0]),
        (("Walk", "Other|Walk"), "Walk*", [0]),
        (PLAIN, "Gun", []),
        ((), "*", []),
    ],
)
def test_a_pattern_names_actions_by_the_same_rule(names: tuple[str, ...], pattern: str, indices: list[int]) -> None:
    assert matching(names, pattern) == indices
