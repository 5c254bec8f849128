"""Step 30: a picture of every scene, and a page to choose among them."""
