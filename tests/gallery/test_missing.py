"""What lacks is said in sentences that stay short, however much it is."""

from __future__ import annotations

from pathlib import Path

from specsia_build.config import BuildConfig
from specsia_build.gallery.facts import Facts
from specsia_build.gallery.missing import damage


def told(*damaged: str) -> str:
    return damage(
        Facts(
            Path(),
            "",
            "",
            BuildConfig("source"),
            {},
            (),
            (),
            {},
            damaged,
            packed=None,
            failures=(),
            times=(),
            unreadable=0,
        )
    )


def test_of_many_damaged_artefacts_the_first_are_named_and_the_rest_counted() -> None:
    assert told() == ""
    assert told("a.tar", "b.tar").endswith("by the next build: a.tar, b.tar")
    many = told(*(f"artefacts/render/{k}.tar" for k in range(1200)))
    assert many.endswith("artefacts/render/4.tar and 1,195 more")
