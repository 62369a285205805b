"""What a worker on another machine must find there."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from specsia_build import __version__


@dataclass(frozen=True)
class Here:
    """What a worker must find on its node.

    Attributes:
        folder: that the command was started in; relative paths in settings are meant from there.
        version: of this package.
        run: the run's folder.
        mark: a file in it that exists nowhere else, or None where nodes need not see it.
        source: of the characters, or None where the run's folder holds them.
        variables: of the environment that it takes over. Ray would start a process of its own for them, by a command
            line that a space in Python's path breaks.
    """

    folder: Path
    version: str
    run: Path
    mark: Path | None
    source: Path | None
    variables: Mapping[str, str]

    def fault(self) -> str | None:
        """What this node lacks, in a sentence, or None; a process that lacks nothing is made ready."""
        os.environ.update(self.variables)
        node = platform.node()
        if __version__ != self.version:
            return f"the node {node} has specsia {__version__}, not {self.version}: install one version on all nodes"
        for path, shown in ((self.mark, self.run), (self.source, self.source)):
            if path is not None and not path.exists():
                return (
                    f"the node {node} does not see {shown}: --out and SOURCE must lie on a file system of all nodes; "
                    "with --work URL only SOURCE"
                )
        if self.folder.is_dir():
            os.chdir(self.folder)
        return None
