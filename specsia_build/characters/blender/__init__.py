"""FBX and .blend files, which Blender exports as GLB once (`export`), and the glTF reader reads (`read`)."""
