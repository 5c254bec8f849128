"""Pairs of one band of two sensors, made of a data set that is there, to train a registration."""
