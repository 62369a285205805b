"""Pictures on a ground, in sheets and in films, the files that hold them, and masks of figures."""
