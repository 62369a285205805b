"""A test whose tool is missing is skipped and named, and fails where ``CI=true``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TEST = """
from tests.needs import needs
def test_pages():
    needs("chromium")
"""


@pytest.mark.parametrize(
    ("ci", "code", "line"), [("", 0, "skipped: 1 for lack of Chromium"), ("true", 1, "failed")]
)
def test_missing_tool(tmp_path: Path, ci: str, code: int, line: str) -> None:
    (tmp_path / "test_tiny.py").write_text(TEST)
    options = ["-p", "tests.needs", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_tiny.py")]
    environment = {**os.environ, "PATH": "", "CI": ci}
    top = Path(__file__).parents[1]
    ran = subprocess.run(command, env=environment, cwd=top, capture_output=True, text=True, check=False)
    assert ran.returncode == code, ran.stdout + ran.stderr
    assert line in ran.stdout and "apt-get install chromium" in ran.stdout
    assert ran.stdout.isascii()
