"""How well scores rank trained networks, and what searches find with them."""
