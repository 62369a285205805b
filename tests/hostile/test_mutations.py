"""Damaged and forged characters among sound ones: each is built or refused, and the sound ones stay as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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
MOST_SAID = 300
MOST_MB = memory_bytes(MEMORY) * HEADROOM / 2**20
FAMILY = {"PLY text": "PLY", "PLY binary": "PLY", "GLB Draco": "GLB", "GLB meshoptimizer": "GLB"} | dict.fromkeys(
    ("PNG", "JPEG", "BMP", "TGA"), "textures"
)

Record = Callable[[str, object], None]


def good_id(kind: str) -> str:
    return f"good_{kind.replace(' ', '_')}"


def write_good(source: Path) -> None:
    for kind in GOOD:
        write_files(source / "good", SOUND[kind](good_id(kind)))


@pytest.fixture(scope="session")
def undisturbed() -> dict[str, Row]:
    """Rows of the sound characters built alone."""
    with new_yard() as yard:
        write_good(yard.source)
        ran = yard.run("build", yard.source, "--out", yard.out, *BUILD)
        assert ran.code == 0, ran.err
        rows = rows_of(yard.out / "dataset")
    assert len(rows) == len(GOOD) * VIEWS
    return rows


def number(mutant_id: str) -> int | None:
    """Which mutant of a batch has an id; None for what is none."""
    return int(mutant_id[1:4]) if mutant_id[:1] == "m" and mutant_id[1:4].isdecimal() else None


def faults_of(ran: Ran, yard: Yard, undisturbed: dict[str, Row]) -> list[str]:
    """All that a build of a batch did wrong."""
    if ran.code != 0:
        return [f"exit {ran.code}: {ran.err[-2000:]}"]
    found = [] if printable_lines(ran.err) else ["control characters on the terminal"]
    found += ["a traceback on the terminal"] if "Traceback" in ran.err + ran.out else []
    found += yard.trespasses()
    document = ran.document()
    for failure in document["failures"]:
        reason = failure["reason"]
        if len(reason) > MOST_SAID or reason != printable(reason) or "please report" in reason or "was lost" in reason:
            found.append(f"{failure['stage']} {failure['id']}: {reason[:500]!r}")
    for character, sentences in document["warnings"].items():
        for sentence in sentences:
            if len(sentence) > MOST_SAID or sentence != printable(sentence):
                found.append(f"warning of {character}: {sentence[:500]!r}")
    rows = rows_of(yard.out / "dataset")
    found += [f"{uid} is not as it is alone" for uid, row in undisturbed.items() if rows.get(uid) != row]
    built, failed = {row["character_id"] for row in rows.values()}, {f["id"] for f in document["failures"]}
    if len(built | failed) != document["characters"] or built & failed:
        found.append("a character is neither built nor on record as failed, or is both")
    if len(rows) != VIEWS * len(built):
        found.append("a character lacks views")
    return found


def build(yard: Yard, source: Path, undisturbed: dict[str, Row], record_property: Record) -> tuple[set[str], set[str]]:
    """Build mutants and sound characters; returns the ids that were built and those that were refused."""
    ran = yard.run("build", source, "--out", yard.out, *BUILD)
    record_property(PEAK, ran.peak_mb)
    assert ran.peak_mb <= MOST_MB, f"a process had {ran.peak_mb:,.0f} MB"
    wrong = faults_of(ran, yard, undisturbed)
    assert not wrong, "\n".join(wrong)
    refused = {failure["id"] for failure in ran.document()["failures"]}
    return {row["character_id"] for row in rows_of(yard.out / "dataset").values()}, refused


@pytest.mark.seeds(2, 30)
def test_damaged_characters_among_sound_ones(
    seed: int, yard: Yard, undisturbed: dict[str, Row], tally: Tally, record_property: Record
) -> None:
    write_good(yard.source)
    batch: dict[int, tuple[str, str]] = {}
    for k in range(BATCH):
        place = seed * BATCH + k
        kind, fault = list(SOUND)[place % len(SOUND)], list(FAULTS)[place // len(SOUND) % len(FAULTS)]
        write_files(yard.source / f"m{k:03d}", mutant(kind, fault, f"m{k:03d}", Random(f"{seed} {k}")))
        batch[k] = kind, fault
    built, refused = (set(map(number, ids)) for ids in build(yard, yard.source, undisturbed, record_property))
    for k, (kind, fault) in batch.items():
        outcome = "refused with a sentence" if k in refused else "built" if k in built else "passed over, no character"
        tally(FAMILY.get(kind, kind), outcome)
        tally(f"all of them: {fault}", outcome)
