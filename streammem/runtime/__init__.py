"""The pipeline: read, encode, remember, commit; for one source and for many at once."""
