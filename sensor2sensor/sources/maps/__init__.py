"""Step 51: maps and photos that stand side by side in one picture."""
