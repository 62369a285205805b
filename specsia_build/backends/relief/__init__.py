"""The default backend: `net` predicts a figure's depth and back; `backend` makes the mesh; `train` trains."""
