"""Timed text: how cues are kept within their bytes, and the adapters that read them."""
