"""`specsia backends` and `specsia doctor`: what this machine has."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from specsia_build.cli.command import CommandGroup, command, json_option, tell
from specsia_build.doctor import OK, examine, works


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

    diagnosis = diagnose(read_pins(name), find_installation(name, root, python))
    lines = [line for check in diagnosis.checks for line in _finding(check.state, check.name, check.found, check.fix)]
    missing = sum(check.state == MISSING for check in diagnosis.checks)
    lacks = f"{diagnosis.name} lacks {missing} of {len(diagnosis.checks)} things"
    lines.append(f"{diagnosis.name} is ready" if diagnosis.ok else lacks)
    tell({**asdict(diagnosis), "ok": diagnosis.ok}, lines, ok=diagnosis.ok)


@backends.command(
    "selftest",
    short_help="Check whether the mesh of backend NAME comes in the right frame.",
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
        result = selftest(backend)
    finally:
        if (close := getattr(backend, "close", None)) is not None:
            close()
    tell(result.document(), report(result), ok=result.ok)


@command("specsia doctor", "specsia doctor --json")
@json_option
def doctor() -> None:
    """Say what this machine has and lacks, what that would enable, and the line that installs it.

    Nothing is changed, and nothing is asked of a network. The exit code is 1 if something is broken that every build
    needs. `specsia backends doctor NAME` looks at one upstream project.
    """
    facts = examine()
    ok, lines = works(facts), []
    for fact in facts:
        lacking = fact.state != OK
        enables = f"for {fact.enables}" if lacking and fact.enables else ""
        lines += _finding(fact.state, fact.name, fact.found, fact.fix if lacking else "", enables)
    lines.append("datasets can be built here" if ok else "datasets cannot be built here: fix what is broken")
    tell({"facts": [asdict(fact) for fact in facts], "ok": ok}, lines, ok=ok)


def _finding(state: str, name: str, found: str, fix: str | None, enables: str = "") -> list[str]:
    """Lines about one thing that was looked at."""
    more = [enables, f"fix: {fix}" if fix else ""]
    return [f"{state:8}{name}: {found}", *(f"{'':8}{line}" for line in more if line)]
