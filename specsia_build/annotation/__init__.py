"""Annotations of drawn frames: lines, strokes, regions, segments, flow, tracks, Ultra-Dense Pose.

Functions on arrays, computed from the renderer's data of a view (`layers.Seen`), so that they agree with it
to the pixel. Features, regions and landmarks are found once for each character, the rest for each frame.
"""
