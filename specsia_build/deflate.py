"""Deflate by ISA-L: fast, and of the same bytes in every process.

ISA-L's loop for long inputs files the third position of a stream under a hash of an address on its own stack
(`.write_first_byte` of igzip_icf_body_h1_gr_bt.asm, releases up to 2.32), so that a process or thread in some thousand
finds other matches. Inputs below 16 bytes take another way, and a stream that has begun is not begun again: the first
bytes are compressed apart from the rest, which costs some 20 bytes.
"""

from __future__ import annotations

from isal import isal_zlib

ZLIB, GZIP = 15, 31
"""Containers, as the `wbits` of zlib."""

_BEGINNING = 8


def compress(data: bytes | memoryview, container: int = ZLIB) -> bytes:
    """Bytes compressed at level 1; a view must be of one dimension and of bytes."""
    stream = isal_zlib.compressobj(level=1, wbits=container)
    beginning = stream.compress(data[:_BEGINNING]) + stream.flush(isal_zlib.Z_SYNC_FLUSH)
    return beginning + stream.compress(data[_BEGINNING:]) + stream.flush()
