"""Ratios against the naive way, both sides measured in one run; ``python -m benchmarks``."""
