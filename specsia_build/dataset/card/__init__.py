"""The dataset's card: its text, its YAML head, and the licences of the characters in it.

Others use `text` and `yaml` to write one, `head` to read one, and `licenses`.
"""
