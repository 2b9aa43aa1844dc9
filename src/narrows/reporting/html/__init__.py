"""The page of a report, and the map of its codes."""
