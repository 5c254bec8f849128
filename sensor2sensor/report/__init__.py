"""Everything the summary notebook calls."""
