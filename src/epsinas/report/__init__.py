"""The report of a study: one page that opens without a network, with everything that the study made."""
