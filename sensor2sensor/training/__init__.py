"""Model contract, training loop, checkpoints, writers and sample sheets."""
