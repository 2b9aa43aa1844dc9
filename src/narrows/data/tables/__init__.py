"""Tables: files of text and Parquet, what their columns hold, and the way to numbers and back."""
