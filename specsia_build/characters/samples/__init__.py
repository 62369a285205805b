"""Procedural bicartoon characters in the layout of 3DBiCar: something to build from with nothing to download.

`write` writes them. Which ones there are is said here, and in `characters.sources`, without loading what makes them.
"""

LICENSE = "CC0-1.0"
SOURCE = "specsia procedural samples"
VERSION = 1
"""Raised whenever the same seed gives other bytes, so that older characters are rewritten."""
