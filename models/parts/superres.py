"""Blocks of the super-resolution models: pixel shuffle, residual blocks, AWRRDB."""

from __future__ import annotations
