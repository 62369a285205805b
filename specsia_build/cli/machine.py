"""`specsia backends` and `specsia doctor`: what this machine has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from specsia_build.cli.command import CommandGroup, command, json_option, tell
from specsia_build.doctor import OK, Fact, examine, works


@click.group(cls=CommandGroup, examples=("specsia backends list", "specsia backends selftest relief"))
def backends() -> None:
    """Reconstruction backends."""


@backends.command("list", examples=("specsia backends list", "specsia backends list --json"))
@json_option
def list_backends() -> None:
    """Name the backends that are installed."""
    from specsia_build.backends.registry import available_backends

    names = available_backends()
    tell({"backends": names}, names)


@backends.command("doctor", examples=("specsia backends doctor wonder3d", "specsia backends doctor crm --json"))
@click.argument("name")
@click.option("--root", type=click.Path(path_type=Path), help="The checkout of the upstream project.")
@click.option("--python", type=click.Path(path_type=Path), help="The interpreter of its environment.")
@json_option
def diagnose_backend(name: str, root: Path | None, python: Path | None) -> None:
    """Say what the upstream project NAME lacks, and what fixes it.

    Looks at the checkout and its commit, Python, packages, weights and GPU, and at whether everything that the worker
    uses of the checkout is there; that part needs neither GPU nor weights.
    """
    from specsia_build.backends.upstream.doctor import MISSING, diagnose
    from specsia_build.backends.upstream.pins import find_installation, read_pins

    found = diagnose(read_pins(name), find_installation(name, root, python))
    lines = []
    for check in found.checks:
        lines.append(f"{check.state:8}{check.name}: {check.found}")
        lines += [f"{'':8}fix: {check.fix}"] if check.fix else []
    missing = sum(check.state == MISSING for check in found.checks)
    lacks = f"{found.name} lacks {missing} of {len(found.checks)} things"
    lines.append(f"{found.name} is ready" if found.ok else lacks)
    tell({**asdict(found), "ok": found.ok}, lines, ok=found.ok)


@backends.command(
    "selftest",
    short_help="Say whether the mesh of backend NAME comes in the right frame.",
    examples=("specsia backends selftest relief", "specsia backends selftest fusion:0.5"),
)
@click.argument("name", metavar="NAME[:ARG]")
@json_option
def run_selftest(name: str) -> None:
    """Run backend NAME on a built-in figure and say whether its mesh comes in the right frame.

    Of all turns by right angles and their mirrors, the mesh as it is must look most like the picture.
    """
    from specsia_build.backends.registry import load_backend
    from specsia_build.backends.selftest import report, selftest

    backend = load_backend(name)
    try:
        found = selftest(backend)
    finally:
        if (close := getattr(backend, "close", None)) is not None:
            close()
    tell(found.document(), report(found), ok=found.ok)


@command("specsia doctor", "specsia doctor --json")
@json_option
def doctor() -> None:
    """Say what this machine has and lacks, what that would enable, and the line that installs it.

    Nothing is changed, and nothing is asked of a network. The exit code is 1 if something is broken that every build
    needs. `specsia backends doctor NAME` looks at one upstream project.
    """
    facts = examine()
    tell({"facts": [asdict(fact) for fact in facts], "ok": works(facts)}, _lines(facts), ok=works(facts))


def _lines(facts: Sequence[Fact]) -> list[str]:
    lines = []
    for fact in facts:
        lines.append(f"{fact.state:8}{fact.name}: {fact.found}")
        if fact.state != OK:
            lines += [f"{'':8}for {fact.enables}"] if fact.enables else []
            lines += [f"{'':8}fix: {fact.fix}"] if fact.fix else []
    return [
        *lines,
        "datasets can be built here" if works(facts) else "datasets cannot be built here: fix what is broken",
    ]
