"""The numbered steps: one module each; plan() is pure, run() acts."""
