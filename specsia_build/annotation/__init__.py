"""What is said of a drawn frame beside its picture: lines, strokes, regions, segments, flow, tracks, Ultra-Dense Pose.

Functions on arrays, no files: all of it is derived from what a view knew (`rendering.seen`), so that it agrees with
the frame to the pixel. Others use `features`, `regions` and `udp.landmarks` once a character, the rest once a frame, or
of two frames or many (`tracks`).
"""
