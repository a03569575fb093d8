"""The package as a document: sections of blocks, which page and PDF each draw in their way."""
