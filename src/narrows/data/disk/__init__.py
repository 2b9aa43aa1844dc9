"""Data larger than memory: read in chunks, encoded once, written whole."""
