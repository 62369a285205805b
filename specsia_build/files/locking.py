"""Files held against other processes."""

from __future__ import annotations

import errno
import fcntl
from typing import IO, Any

_LOCKLESS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def lock(stream: IO[Any] | int, wait: bool = False, shared: bool = False) -> bool | None:
    """Hold an open file until it is closed, or its process ends.

    Args:
        stream: the file, or its descriptor.
        wait: until nobody else holds it.
        shared: with others who hold it so.

    Returns:
        Whether it is held; None where the file system has no locks.
    """
    try:
        fcntl.flock(stream, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _LOCKLESS:
            return None
        raise
    return True
