"""Repair one drawing: turn or move its reconstruction, and repair each frame with a model."""
