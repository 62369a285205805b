"""One line of the page, and how another program is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from specsia_build.errors import SpecsiaError, brief
from specsia_build.folders import homed

OK, NOTE, MISSING, BROKEN = "ok", "note", "missing", "broken"
"""It is there; it is there, but mind what is said; it is not there; it is there and does not work."""

PATIENCE = 60.0
"""Seconds after which a program that was asked is given up."""


@dataclass(frozen=True)
class Fact:
    """One thing that a machine has or lacks.

    Attributes:
        name: what it is.
        state: `OK`, `NOTE`, `MISSING` or `BROKEN`.
        found: what is there, or what is wrong, in words.
        enables: what it is for, where it is not needed by all.
        mend: line that installs or mends it, or empty.
        core: whether nothing works without it.
    """

    name: str
    state: str
    found: str
    enables: str = ""
    mend: str = ""
    core: bool = False


def ask(command: Sequence[str]) -> str:
    """What a program prints; it ends with all that it started once `PATIENCE` is over.

    Raises:
        SpecsiaError: if it fails or takes too long, with the last line that it printed about it.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  programs of this machine, none named by data
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=homed(),
        )
    except OSError as error:
        raise SpecsiaError(brief(f"{command[0]}: {error.strerror or error}")) from error
    try:
        said, complained = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise SpecsiaError(f"no answer within {PATIENCE:g} seconds") from error
    if process.returncode:
        lines = complained.decode(errors="replace").strip().splitlines()
        raise SpecsiaError(brief(lines[-1] if lines else f"it ended with exit code {process.returncode}"))
    return said.decode(errors="replace").strip()


def ask_python(code: str) -> str:
    """What Python code prints, run by this interpreter in a process of its own; see `ask`.

    It looks for no module in the current folder, which may be anybody's.
    """
    return ask([sys.executable, "-P", "-c", code])
