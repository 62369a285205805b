"""`loop` is how networks learn, `train` the work of `specsia train`, `validation` what a training is watched by."""
