"""Damaged and forged characters among sound ones: each is built or refused, the sound ones are unaffected."""

from random import Random

import pytest

from specsia_build.errors import printable
from specsia_build.memory import HEADROOM, MEMORY, memory_bytes
from tests.hostile.faults import FAULTS, mutant
from tests.hostile.sound import SOUND, write_files
from tests.hostile.yard import Ran, Row, Yard, new_yard, printable_lines, rows_of

BATCH = 48
VIEWS = 2
BUILD = ("--size", "64", "--views", str(VIEWS), "--workers", "2", "--max-failures", "100%", "--json")
GOOD = ("GLB", "OBJ", "PLY binary", "3DBiCar")
LONGEST = 300
"""Characters of a reason or a warning at most."""

MOST_MB = memory_bytes(MEMORY) * HEADROOM / 2**20


def write_good(yard: Yard) -> None:
    for kind in GOOD:
        write_files(yard.source / "good", SOUND[kind](f"good_{kind.replace(' ', '_')}"))


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, Row]:
    """Rows of the sound characters built alone."""
    with new_yard() as yard:
        write_good(yard)
        ran = yard.run("build", yard.source, "--out", yard.out, *BUILD)
        assert ran.code == 0, ran.err
        rows = rows_of(yard.out / "dataset")
    assert len(rows) == len(GOOD) * VIEWS
    return rows


def is_sentence(text: str) -> bool:
    """Whether a text is short, does nothing to a terminal, and blames no fault of the program."""
    blames = "please report" in text or "was lost" in text
    return len(text) <= LONGEST and text == printable(text) and not blames


def faults_of(ran: Ran, yard: Yard, undisturbed: dict[str, Row]) -> list[str]:
    """All that a build of a batch did wrong."""
    faults = [] if printable_lines(ran.err) else ["control characters on the terminal"]
    faults += ["a traceback on the terminal"] if "Traceback" in ran.err + ran.out else []
    faults += yard.trespasses()
    document, rows = ran.document(), rows_of(yard.out / "dataset")
    texts = [(f["id"], f["reason"]) for f in document["failures"]]
    texts += [(character, text) for character, warnings in document["warnings"].items() for text in warnings]
    faults += [f"{character}: {text[:500]!r}" for character, text in texts if not is_sentence(text)]
    faults += [f"{uid} is not as it is alone" for uid, row in undisturbed.items() if rows.get(uid) != row]
    built, failed = {row["character_id"] for row in rows.values()}, {f["id"] for f in document["failures"]}
    if len(built | failed) != document["characters"] or built & failed:
        faults.append("a character is neither built nor on record as failed, or is both")
    if len(rows) != VIEWS * len(built):
        faults.append("a character lacks views")
    return faults


@pytest.mark.seeds(2, 30)
def test_damaged_among_sound_characters(seed: int, yard: Yard, undisturbed: dict[str, Row]) -> None:
    write_good(yard)
    for k in range(BATCH):
        place = seed * BATCH + k
        kind, fault = list(SOUND)[place % len(SOUND)], list(FAULTS)[place // len(SOUND) % len(FAULTS)]
        write_files(yard.source / f"m{k:03d}", mutant(kind, fault, f"m{k:03d}", Random(f"{seed} {k}")))
    ran = yard.run("build", yard.source, "--out", yard.out, *BUILD)
    assert ran.code == 0, ran.err[-2000:]
    assert ran.peak_mb <= MOST_MB, f"a process had {ran.peak_mb:,.0f} MB"
    assert (faults := faults_of(ran, yard, undisturbed)) == [], "\n".join(faults)
