"""The pages: tables and figures of the paper and of this project, and the ledger of published numbers."""
