"""What networks hold and see, whatever made them."""
