"""Step 52: aerial photos and masks of buildings, in the layout of the Inria data set."""
