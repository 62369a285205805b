"""Cameras by name and file: `rigs` parses what `--cameras` takes, `records` has cameras.json."""
