"""Run code on a pseudo-terminal, and read its output."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping

# A control sequence of colours, of the cursor's lines or of erasing one.
CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def on_terminal(code: str, width: int, more: Mapping[str, str] | None = None) -> str:
    """Everything that Python code writes to a terminal, with control sequences."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment = {**kept, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **(more or {})}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 1 << 16):
                shown += part
        except OSError:
            # What a terminal says once nobody holds its other end any more.
            os.close(master)
        assert process.wait(60) == 0, shown.decode()
    return shown.decode()


def lines_of(shown: str) -> list[str]:
    """The lines of what was shown, those included that others replaced, without control sequences."""
    return [line for part in CODE.split(shown) for line in part.replace("\r", "\n").split("\n")]


def harmless(shown: str) -> None:
    """See that nothing but colours, lines of the cursor and erased lines steers the terminal."""
    known = re.compile(r"\x1b\[([0-9;]*[mAK]|\?25[lh]|2K)")
    codes = [code for code in CODE.findall(shown) if not known.fullmatch(code)]
    assert not codes
    assert all(line.isprintable() for line in lines_of(shown)), shown
