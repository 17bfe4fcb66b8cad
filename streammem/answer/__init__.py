"""Answerers: findings become sentences that claim no more than what was found."""
