"""Procedural bicartoon characters in the layout of 3DBiCar: something to build from with nothing to download."""

from specsia_build.characters.samples.write import missing_samples, write_sample, write_samples

__all__ = ["missing_samples", "write_sample", "write_samples"]
