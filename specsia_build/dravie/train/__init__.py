"""`loop` has the training loop and its optimiser, `train` implements `specsia train`."""
