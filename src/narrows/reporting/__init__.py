"""The report of a run: a verdict, figures, one page, and the same facts as JSON."""
