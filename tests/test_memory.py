"""What stays to the end of a process is left alone by the collector, which is as it was afterwards."""

import gc
from pathlib import Path

from specsia_build.memory import lasting


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
