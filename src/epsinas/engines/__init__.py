"""Interpreters of a search space's description: full-width, lumped and counting."""
