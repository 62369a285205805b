"""`loop` is the training loop and its optimiser, `train` the work of `specsia train` from top to bottom."""
