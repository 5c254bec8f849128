"""Measurements of networks, whatever made them."""
