"""The benchmark: a frozen set of characters that anyone may pass on, and methods scored on it (`frozen`)."""
