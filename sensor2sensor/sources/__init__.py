"""Kinds of data: a file each, which offers what ``source.Source`` asks of it."""
