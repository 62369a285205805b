"""The names of `specsia_build`, under the name of the package: ``import specsia``."""

from typing import TYPE_CHECKING

import specsia_build
from specsia_build import __all__ as __all__
from specsia_build import __version__ as __version__

if TYPE_CHECKING:
    from specsia_build import *  # noqa: F403


def __getattr__(name: str) -> object:
    return getattr(specsia_build, name)


def __dir__() -> list[str]:
    return dir(specsia_build)
