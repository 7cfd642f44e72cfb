"""Pages that open without a network: the report of a study, and where a metric of one's own stands."""
