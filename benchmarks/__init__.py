"""Benchmarks of `docs/speed.md`; not part of the installed package."""
