"""Repair of one drawing: its reconstruction turned or in motion, and each frame repaired by a model."""
