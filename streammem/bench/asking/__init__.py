"""What `streammem bench questions` runs: scripts of events, questions in English, verdicts."""
