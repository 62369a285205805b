"""Characters and reconstructions as files that other programs open: GLB, VRM, OBJ, PLY and STL."""
