from __future__ import annotations

import pytest

from specsia_build.recipes.captions import caption


@pytest.mark.parametrize(
    ("character", "action", "said"),
    [
        ("kaykit_knight", "HumanArmature|Walk", "a kaykit knight character walks"),
        ("quaternius_alien", "AlienArmature|Alien_Clapping", "a quaternius alien character is clapping"),
        ("animal_fox", "AnimalArmature|Idle_2", "an animal fox character stands idle"),
        ("dino_trex", "Armature|TRex_Death", "a dino trex character dies"),
        ("kaykit_mage", "1H_Melee_Attack_Chop", "a kaykit mage character moves: melee attack chop"),
        ("platformer_character", "punch", "a platformer character punches"),
        ("robot", "Take 001|BaseLayer", "a robot character moves"),
        ("robot", "Armature|mixamo.com|Layer0", "a robot character moves"),
        ("robot", "Armature|Jump|BaseLayer", "a robot character jumps"),
        ("robot", "animation", "a robot character moves"),
        ("robot", "Take_Off", "a robot character moves: take off"),
        ("robot", "Character_Idle", "a robot character stands idle"),
        ("walkingRobot_scene", "Walk", "a walking robot character walks"),
        ("cow_animated", "Scene", "a cow character moves: scene"),
        ("scene", "Walk", "a character walks"),
        ("dva__copy_", "Walk", "a dva character walks"),
        ("0007", "\u52d5\u4f5c", "a character moves"),
        ("caf\u00e9", "\u00c0_l'eau\nNA", "a cafe character moves: eau na"),
    ],
)
def test_a_caption_says_what_the_names_say_in_plain_words(character: str, action: str, said: str) -> None:
    assert caption({"character": character, "clip": {"action": action, "origin": "own"}}) == said


def test_a_turntable_stands_still_whatever_a_motion_is_named() -> None:
    about = {"character": "robot", "clip": {"action": "turntable", "origin": ""}}
    assert caption(about) == "a robot character stands still, seen from all around"
    about["clip"] = {"action": "turntable", "origin": "own"}
    assert caption(about) == "a robot character moves: turntable"


def test_a_long_name_makes_no_long_caption() -> None:
    about = {"character": "robot", "clip": {"action": "_".join(["stumbles"] * 200), "origin": "own"}}
    assert len(caption(about).split()) < 20
