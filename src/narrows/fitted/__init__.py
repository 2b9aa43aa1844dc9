"""What stands on a fitted model: how likely rows are, how far from the others, what codes lead to, what is wrong."""
