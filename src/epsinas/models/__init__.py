"""A torch model of one's own: copies of it whose weights are constant, and how it is called."""
