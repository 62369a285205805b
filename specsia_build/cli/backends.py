"""`specsia backends`."""

from __future__ import annotations

from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from specsia_build.cli.command import CommandGroup
from specsia_build.cli.output import json_option, tell

if TYPE_CHECKING:
    from specsia_build.backends.upstream.doctor import Diagnosis


class _Backends(CommandGroup):
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is named first.

        Raises:
            click.UsageError: if there is none, with what may be meant, which a backend can be.
        """
        from specsia_build.backends.registry import available_backends

        name = args[0]
        if name not in self.commands and not ctx.resilient_parsing:
            tries = {known: f"selftest {known}" for known in available_backends()}
            near = get_close_matches(name, tries, 1)
            if near:
                raise click.UsageError(f"No such command '{name}'. Did you mean '{tries[near[0]]}'?", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Backends, examples=("specsia backends list", "specsia backends selftest relief"))
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
def doctor(name: str, root: Path | None, python: Path | None) -> None:
    """Say what the upstream project NAME lacks, and what mends it.

    Looks at the checkout and its commit, Python, packages, weights and GPU, and at whether everything that the worker
    uses of the checkout is there; that part needs neither GPU nor weights.
    """
    from specsia_build.backends.upstream.doctor import diagnose
    from specsia_build.backends.upstream.pins import find_installation, read_pins

    found = diagnose(read_pins(name), find_installation(name, root, python))
    tell({**asdict(found), "ok": found.ok}, _diagnosis_lines(found), ok=found.ok)


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


def _diagnosis_lines(found: Diagnosis) -> list[str]:
    from specsia_build.backends.upstream.doctor import MISSING

    lines = []
    for check in found.checks:
        lines.append(f"{check.state:8}{check.name}: {check.found}")
        lines += [f"{'':8}mend it: {check.mend}"] if check.mend else []
    missing = sum(check.state == MISSING for check in found.checks)
    lines.append(
        f"{found.name} is ready" if found.ok else f"{found.name} lacks {missing} of {len(found.checks)} things"
    )
    return lines
