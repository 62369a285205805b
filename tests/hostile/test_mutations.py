"""Damaged and forged characters among sound ones: each is built or refused, and the sound ones stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from specsia_build.errors import printable
from specsia_build.memory import HEADROOM, MEMORY, memory_bytes
from tests.conftest import PEAK
from tests.hostile.conftest import Tally
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
FAMILY = {"PLY text": "PLY", "PLY binary": "PLY", "GLB Draco": "GLB", "GLB meshoptimizer": "GLB"} | dict.fromkeys(
    ("PNG", "JPEG", "BMP", "TGA"), "textures"
)


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
    return len(text) <= LONGEST and text == printable(text) and "please report" not in text and "was lost" not in text


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
def test_damaged_characters_among_sound_ones(
    seed: int,
    yard: Yard,
    undisturbed: dict[str, Row],
    tally: Tally,
    record_property: Callable[[str, object], None],
) -> None:
    write_good(yard)
    batch: dict[int, tuple[str, str]] = {}
    for k in range(BATCH):
        place = seed * BATCH + k
        kind, fault = list(SOUND)[place % len(SOUND)], list(FAULTS)[place // len(SOUND) % len(FAULTS)]
        write_files(yard.source / f"m{k:03d}", mutant(kind, fault, f"m{k:03d}", Random(f"{seed} {k}")))
        batch[k] = kind, fault
    ran = yard.run("build", yard.source, "--out", yard.out, *BUILD)
    assert ran.code == 0, ran.err[-2000:]
    record_property(PEAK, ran.peak_mb)
    assert ran.peak_mb <= MOST_MB, f"a process had {ran.peak_mb:,.0f} MB"
    assert (faults := faults_of(ran, yard, undisturbed)) == [], "\n".join(faults)
    refused = {failure["id"][:4] for failure in ran.document()["failures"]}
    built = {row["character_id"][:4] for row in rows_of(yard.out / "dataset").values()}
    for k, (kind, fault) in batch.items():
        name = f"m{k:03d}"
        outcome = "refused with a sentence" if name in refused else "built" if name in built else "no character"
        tally(FAMILY.get(kind, kind), outcome)
        tally(f"all of them: {fault}", outcome)
