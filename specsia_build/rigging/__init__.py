"""A rig for a drawn figure: its joints, found in its picture, and the skin of its reconstruction."""
