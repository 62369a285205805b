"""Imported once, before workers are forked: what numba would load in each of them at its first compiled function."""

from numba.core.registry import cpu_target

cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
