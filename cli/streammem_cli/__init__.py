"""The `streammem` command: one file per command, one file that prints."""
