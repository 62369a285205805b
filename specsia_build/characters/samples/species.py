"""What kinds of characters there are and what tells one kind from another."""

from __future__ import annotations

from dataclasses import dataclass

from specsia_build.characters.samples.colours import FUR, SKIN, Colour


@dataclass(frozen=True)
class Species:
    """The looks of a kind.

    Attributes:
        name: as the metadata call it.
        weight: how often it is drawn, against the others.
        ears, muzzle, tail, crown: names of builders in `head` and `extras`; empty for none.
        tones: fur or skin colours to choose from.
        fantasy: how often it has a colour from the scheme instead, 0-1.
        markings: names of painted markings to choose from.
        hair: how often it has hair of its own, 0-1.
        bare: how often it wears nothing, 0-1.
        back: what grows on its back: `wings`, `spines`, `shell`, or nothing.
    """

    name: str
    weight: float
    ears: str = ""
    muzzle: str = ""
    tail: str = ""
    crown: str = ""
    tones: tuple[Colour, ...] = FUR
    fantasy: float = 0.2
    markings: tuple[str, ...] = ("plain",)
    hair: float = 0.0
    bare: float = 0.3
    back: str = ""


_GREEN: Colour = (0.5, 0.74, 0.36)
_SKY: Colour = (0.45, 0.68, 0.86)
_PINK: Colour = (0.95, 0.68, 0.7)
_GREY: Colour = (0.63, 0.66, 0.72)
_YELLOW: Colour = (0.98, 0.83, 0.36)
_NIGHT: Colour = (0.24, 0.26, 0.34)
_METALS: tuple[Colour, ...] = ((0.75, 0.78, 0.82), (0.9, 0.88, 0.84), (0.55, 0.62, 0.7), (0.85, 0.68, 0.4))

SPECIES: tuple[Species, ...] = (
    Species("person", 14.0, ears="human", tones=SKIN, fantasy=0.04, hair=1.0, bare=0.0),
    Species("elf", 1.5, ears="elf", tones=SKIN, fantasy=0.25, hair=1.0, bare=0.0),
    Species("cat", 2.0, ears="cat", muzzle="small", tail="long", markings=("plain", "tabby", "bib", "patch"),
            hair=0.15),
    Species("bunny", 2.0, ears="bunny", muzzle="small", tail="puff", markings=("plain", "bib", "patch"),
            hair=0.15),
    Species("bear", 1.8, ears="round", muzzle="wide", tail="puff", markings=("plain", "bib")),
    Species("panda", 1.0, ears="round", muzzle="wide", tail="puff", tones=((0.96, 0.95, 0.93),), fantasy=0.1,
            markings=("panda",)),
    Species("dog", 2.2, ears="floppy", muzzle="long", tail="short", markings=("plain", "patch", "bib", "spots")),
    Species("mouse", 1.2, ears="dish", muzzle="point", tail="thin", tones=(_GREY, *FUR[3:8])),
    Species("fox", 1.4, ears="cat", muzzle="point", tail="bushy", tones=((0.92, 0.5, 0.22), (0.85, 0.85, 0.88)),
            markings=("fox",)),
    Species("tiger", 1.0, ears="round", muzzle="wide", tail="long", tones=((0.96, 0.64, 0.25), (0.95, 0.94, 0.92)),
            markings=("tiger",)),
    Species("lion", 1.0, ears="round", muzzle="wide", tail="tuft", tones=((0.93, 0.73, 0.42),), crown="mane"),
    Species("pig", 1.2, hair=0.15, ears="fold", muzzle="snout", tail="curl", tones=(_PINK, (0.85, 0.6, 0.55)),
            fantasy=0.1),
    Species("cow", 1.0, ears="side", muzzle="wide", tail="tuft", crown="horns", tones=(FUR[8], FUR[1]),
            markings=("spots", "patch")),
    Species("deer", 1.0, ears="side", muzzle="point", tail="puff", crown="antlers", tones=(FUR[7], FUR[1]),
            markings=("dapple",)),
    Species("koala", 1.0, ears="fluffy", muzzle="bignose", tail="", tones=(_GREY, FUR[3])),
    Species("elephant", 1.0, ears="fan", muzzle="trunk", tail="thin", tones=(_GREY, _SKY)),
    Species("frog", 1.0, crown="eyebumps", tones=(_GREEN, (0.4, 0.66, 0.5)), markings=("bib", "spots")),
    Species("chick", 1.1, muzzle="beak", tail="fan", crown="tuft", tones=(_YELLOW, _SKY, FUR[8]), back="wings",
            fantasy=0.3),
    Species("penguin", 1.1, muzzle="beak", tail="fan", tones=(_NIGHT, (0.3, 0.42, 0.6)), markings=("penguin",)),
    Species("owl", 0.8, ears="tuft", muzzle="beak", tail="fan", tones=(FUR[1], FUR[6]), markings=("owl",),
            back="wings"),
    Species("dragon", 1.6, ears="", muzzle="long", tail="thick", crown="horns", tones=(_GREEN, _SKY, (0.8, 0.4, 0.4)),
            fantasy=0.5, markings=("bib",), back="dragon", bare=0.6),
    Species("dinosaur", 1.2, muzzle="long", tail="thick", tones=(_GREEN, (0.5, 0.7, 0.7)), fantasy=0.5,
            markings=("bib", "spots"), back="spines", bare=0.6),
    Species("robot", 1.8, ears="bolts", crown="antenna", tones=_METALS, fantasy=0.35, markings=("robot",), bare=0.7),
    Species("monster", 2.0, ears="fin", tail="thick", crown="horns", tones=(_GREEN, _SKY, (0.66, 0.5, 0.8)),
            fantasy=0.8,
            markings=("bib", "spots", "plain"), back="spines", hair=0.3, bare=0.5),
    Species("alien", 1.0, crown="antennae", tones=(_GREEN, (0.6, 0.8, 0.75), (0.7, 0.65, 0.85)), fantasy=0.5,
            markings=("plain", "spots")),
)  # fmt: skip
