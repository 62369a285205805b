"""The parts a character can have: each is painted on its own."""

from __future__ import annotations

from enum import IntEnum


class Part(IntEnum):
    HEAD = 0
    EAR = 1
    MUZZLE = 2
    NOSE = 3
    BEAK = 4
    HAIR = 5
    TIE = 6
    HAT = 7
    BRIM = 8
    BADGE = 9
    HORN = 10
    MANE = 11
    TORSO = 12
    COLLAR = 13
    HIPS = 14
    SKIRT = 15
    SLEEVE = 16
    ARM = 17
    CUFF = 18
    HAND = 19
    TROUSER = 20
    LEG = 21
    SOCK = 22
    SHOE = 23
    SOLE = 24
    TAIL = 25
    TAIL_TIP = 26
    WING = 27
    BAG = 28
    FLAP = 29
    CAPE = 30
    SCARF = 31
    BELT = 32
    SPINE = 33
    PAD = 34
    GLASSES = 35
    BUTTON = 36
    BOW = 37


ABOVE_NECK = frozenset(range(Part.HEAD, Part.MANE + 1)) | {Part.GLASSES}
