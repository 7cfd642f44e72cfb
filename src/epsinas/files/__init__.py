"""The files that go from one stage to the next."""
