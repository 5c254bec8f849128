"""The record contract (dataset.json), splits by ground, order and statistics."""
