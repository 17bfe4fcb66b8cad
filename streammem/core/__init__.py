"""Types, time, budget, configuration and errors; imports nothing from its siblings."""
