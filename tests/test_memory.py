"""What a process gives back is kept for what it asks for next."""

import platform
import subprocess
import sys

import pytest

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
