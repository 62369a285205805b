"""What stays to the end of a process is left alone by the collector, which is as it was afterwards; what is given back
is kept."""

import gc
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from specsia_build.memory import lasting

FRESH_PAGES = """
import resource
import numpy as np
from specsia_build.memory import keep_freed
keep_freed()
[np.ones(2**21) for _ in range(3)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    [np.ones(2**21) for _ in range(3)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""A process that tells how many pages came from the system for 48 MB that it takes and gives back ten times."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no other C library is told what to keep")
def test_what_is_given_back_serves_again() -> None:
    found = subprocess.run([sys.executable, "-c", FRESH_PAGES], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 1000


def test_what_is_made_to_last_is_collected_no_more() -> None:
    assert gc.isenabled()
    gc.unfreeze()
    try:
        with lasting():
            assert not gc.isenabled()
            made = [Path(str(number)) for number in range(1000)]
        assert gc.isenabled()
        assert gc.get_freeze_count() > len(made)
        tracked = {id(one) for one in gc.get_objects()}
        assert not tracked & {id(one) for one in made}
    finally:
        gc.unfreeze()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    try:
        with lasting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
        gc.unfreeze()
