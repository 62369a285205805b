"""Recipes of the benchmarks in `docs/benchmarks.md` that no installation needs."""
