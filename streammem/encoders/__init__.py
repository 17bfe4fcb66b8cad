"""Image-text encoders: the contract, the adapters behind it, and how one is chosen and loaded."""
