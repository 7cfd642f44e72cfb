"""What the paper prints, the ledger that compares it, and what pages have in common."""
