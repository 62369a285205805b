"""The networks, their losses and optimiser, and checkpoints that are read without running code."""
