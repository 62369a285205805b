"""Run the `specsia` command in this process or in one of its own."""

import sys

from click.testing import CliRunner, Result

from specsia_build.cli import main

COMMAND = (sys.executable, "-c", "from specsia_build.cli import main; main()")
"""As a user has it, in a process of its own; most tests do without, as it takes seconds to begin."""


def specsia(*words: object, code: int | None = 0) -> Result:
    """Run the command in this process; it must end with an exit code, or any if `code` is None, and no
    traceback."""
    ran = CliRunner().invoke(main, [str(word) for word in words])
    assert ran.exception is None or isinstance(ran.exception, SystemExit), f"{ran.output}{ran.exception!r}"
    assert "Traceback" not in ran.output, ran.output
    assert code is None or ran.exit_code == code, ran.output
    return ran
