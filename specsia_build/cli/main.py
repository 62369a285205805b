"""The group of commands, and how errors become sentences and exit codes."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from specsia_build import __version__
from specsia_build.cli.stopping import stoppable
from specsia_build.errors import SpecsiaError, UsageError, brief
from specsia_build.files.trouble import write_trouble

DONE, FAILED, USAGE = 0, 1, 2
"""Exit codes."""

COMMANDS = {
    "build": "specsia_build.cli.build",
    "clips": "specsia_build.cli.clips",
    "characters": "specsia_build.cli.inspect",
    "status": "specsia_build.cli.inspect",
    "verify": "specsia_build.cli.verify",
    "diff": "specsia_build.cli.diff",
    "report": "specsia_build.cli.report",
    "convert": "specsia_build.cli.convert",
    "backends": "specsia_build.cli.backends",
    "train": "specsia_build.cli.train",
    "adapt": "specsia_build.cli.adapt",
    "enhance": "specsia_build.cli.enhance",
    "evaluate": "specsia_build.cli.evaluate",
    "push": "specsia_build.cli.push",
    "bench": "specsia_build.cli.bench",
}
"""Module of each command; imported only when the command is asked for, so that help is quick."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(COMMANDS[name]), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable(FAILED):
            return self._told(ctx)

    def _told(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise _Sentence(str(error), USAGE) from error
        except SpecsiaError as error:
            raise _Sentence(str(error), FAILED) from error
        except KeyboardInterrupt as error:
            raise _Sentence("stopped; the same command goes on from here", FAILED) from error
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(DONE)
        # Where a file is written, its own sentence comes first; this is for all that the system may refuse besides.
        except OSError as error:
            raise _Sentence(_refused(error), FAILED) from error


def _refused(error: OSError) -> str:
    """What the system refused, and of which file."""
    trouble = write_trouble(error)
    if trouble is not None:
        return str(trouble)
    where = f"{error.filename}: " if isinstance(error.filename, str) else ""
    return brief(f"{where}{error.strerror or error}")


class _Sentence(click.ClickException):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = code

    def show(self, file: Any = None) -> None:
        click.echo(f"specsia: {self.format_message()}", file=file or sys.stderr)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="specsia")
def main() -> None:
    """Build datasets that teach 2D models to repair drawn characters seen from new angles."""
