"""Kinds of data: a folder each, whose ``source.py`` offers what ``source.Source`` asks of it."""
