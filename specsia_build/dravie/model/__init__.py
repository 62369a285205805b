"""The networks, their losses, and checkpoints that are read without running code."""
