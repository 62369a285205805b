"""SPECSIA-15K as its authors publish it: rows of the Hub and a folder tree."""
