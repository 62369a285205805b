"""Procedural cartoon characters in the layout of 3DBiCar: something to build from with nothing to download.

`write` writes them. What is needed to list them is here and in `characters.sources`, without loading the generator.
"""

LICENSE = "CC0-1.0"
SOURCE = "specsia procedural samples"
VERSION = 2
"""Raised whenever the same seed gives other bytes, so that older characters are rewritten."""
