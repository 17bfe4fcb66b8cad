"""Hearing: voice activity, speech, sound tags. Chunks of samples go in, cues come out."""
