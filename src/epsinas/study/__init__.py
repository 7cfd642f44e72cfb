"""Studies: what the workflow runs, its configuration, and the plan of its jobs."""
