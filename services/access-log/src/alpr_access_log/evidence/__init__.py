"""Evidence packages: sealed, inventoried exports of what a hold keeps."""
