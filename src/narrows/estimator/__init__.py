"""The scikit-learn face of every family: what a fit does, what is kept of it, and what stands on a fitted model."""
