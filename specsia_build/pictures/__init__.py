"""Pictures on a ground, in sheets and in films, and the files that hold them."""
