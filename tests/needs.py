"""Tools that some tests need beyond Python's packages; a pytest plugin that ends by naming those that were
missing."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from specsia_build.extras import how_to_add
from specsia_build.rendering.blender.process import SYSTEM_LIBRARIES, find_command, how_to_install

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class Tool(NamedTuple):
    """A tool's name, whether this machine has it, and how to install it."""

    name: str
    is_there: Callable[[], bool]
    install: str


def lacks_library(*command: str) -> bool:
    """Whether a command ends for want of a shared library; any other fault is left to the tests that run
    it."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return (
        ran.returncode != 0 and re.search(r"lib\S+: cannot open shared object file", ran.stderr) is not None
    )


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@cache
def has_chromium() -> bool:
    """Whether there is a browser, and the Node.js in the package playwright, which drives it, finds what it
    links."""
    import playwright

    driver = Path(playwright.__file__).parent / "driver" / "node"
    return find_chromium() is not None and not lacks_library(str(driver), "--version")


def has_bpy() -> bool:
    return importlib.util.find_spec("bpy") is not None


def has_blender() -> bool:
    return find_command("export_glb.py") is not None


@cache
def has_libraries() -> bool:
    """Whether bpy, where it is installed, finds what it links."""
    return not (has_bpy() and lacks_library(sys.executable, "-P", "-c", "import bpy"))


def has_npm() -> bool:
    return shutil.which("npm") is not None and shutil.which("node") is not None


def has_torch() -> bool:
    return importlib.util.find_spec("torch") is not None


def has_gradio() -> bool:
    return importlib.util.find_spec("gradio") is not None


TOOLS = {
    "torch": Tool("torch", has_torch, how_to_add("train")),
    "web": Tool("gradio", has_gradio, how_to_add("web")),
    "chromium": Tool("Chromium", has_chromium, "apt-get install chromium libatomic1"),
    "bpy": Tool("the package bpy", has_bpy, "with Python 3.11, make test installs it"),
    "blender": Tool("Blender", has_blender, how_to_install()),
    "npm": Tool("Node.js with npm", has_npm, "apt-get install nodejs npm"),
    "libraries": Tool("X libraries", has_libraries, f"apt-get install {SYSTEM_LIBRARIES}"),
}


def needs(*names: str) -> None:
    """Skip the running test at the first of `TOOLS` that is missing; where the environment has ``CI=true``,
    fail it."""
    missing = next((TOOLS[name] for name in names if not TOOLS[name].is_there()), None)
    if missing is None:
        return
    reason = f"needs {missing.name} ({missing.install})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write a line that counts the skipped tests by what they need."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in reports]
    counts = Counter(reason.removeprefix("needs ") for reason in reasons if reason.startswith("needs "))
    if counts:
        terminalreporter.ensure_newline()
        named = ", ".join(f"{count} for lack of {what}" for what, count in counts.items())
        terminalreporter.write_line(f"tests skipped: {named}")
