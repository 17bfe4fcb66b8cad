"""Types, time, budget, configuration and errors; imports nothing from its siblings."""

SCHEMA_VERSION = 1
"""Of every JSON document; raised when a field is removed or changes its meaning."""
