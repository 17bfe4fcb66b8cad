"""Reading: sources become frames with container times, audio and timed text."""
