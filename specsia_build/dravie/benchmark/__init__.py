"""The benchmark: a frozen set of characters anyone may pass on (`frozen`), and scores of frames (`score`)."""
