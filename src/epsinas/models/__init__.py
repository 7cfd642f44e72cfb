"""Scores of a torch model of one's own."""
