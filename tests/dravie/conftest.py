"""Settings that make tests of the model quick."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from specsia_build.dravie.adapt.adapt import EPOCH


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decode frames once for all tests, not into the user's cache, and adapt to little of a drawing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
        patch.setattr("specsia_build.dravie.adapt.adapt.WITHHELD", 2)
        patch.setattr("specsia_build.dravie.adapt.adapt.EPOCH", replace(EPOCH, batch=1024, patch=16))
        yield
