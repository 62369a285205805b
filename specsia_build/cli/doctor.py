"""`specsia doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import click

from specsia_build.cli.command import Command
from specsia_build.cli.output import json_option, tell
from specsia_build.doctor import OK, Fact, examine, works


@click.command(cls=Command, examples=("specsia doctor", "specsia doctor --json"))
@json_option
def doctor() -> None:
    """Say what this machine has and lacks, what that would enable, and the line that installs it.

    Nothing is changed, and nothing is asked of a network. The exit code is 1 if something is broken that every build
    needs. `specsia backends doctor NAME` looks at one upstream project.
    """
    facts = examine()
    ok = works(facts)
    tell({"facts": [asdict(fact) for fact in facts], "ok": ok}, _lines(facts), ok=ok)


def _lines(facts: Sequence[Fact]) -> list[str]:
    lines = []
    for fact in facts:
        lines.append(f"{fact.state:8}{fact.name}: {fact.found}")
        if fact.state != OK:
            lines += [f"{'':8}for {fact.enables}"] if fact.enables else []
            lines += [f"{'':8}mend it: {fact.mend}"] if fact.mend else []
    lines.append("datasets can be built here" if works(facts) else "datasets cannot be built here: mend what is broken")
    return lines
