"""Every run below the experiment root: table, differences, notes, a page; free of TensorFlow."""
