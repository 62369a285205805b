"""`loop` is the training loop, `train` runs `specsia train`, `validation` measures a training on other characters."""
