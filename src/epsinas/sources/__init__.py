"""Where input files come from: official formats, downloads, mirrors."""
