"""The pages: one module for each table or figure of the paper and of this project."""
