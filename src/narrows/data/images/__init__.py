"""Images: files and folders, pixels of any depth, masks, crops and tiles."""
