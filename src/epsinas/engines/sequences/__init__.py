"""Interpreters of recurrent networks over batches of token sequences."""
