"""Scores per tile on ground never trained on, beside baselines, with honest intervals.

Importing this package imports no TensorFlow; the modules do, where they compute.
"""
