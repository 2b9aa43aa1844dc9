"""Ratings, purchases and plays, as rows of interactions."""
