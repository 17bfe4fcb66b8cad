"""Many videos side by side: workers, what they are given, and what happens when one is lost."""
