"""Benchmarks of `docs/benchmarks.md`; not part of the installed package."""
