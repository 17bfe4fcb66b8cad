"""Published ways to remember, and simple baselines, behind the contract of `MemoryStore`.

Each is a rule that says where one stretch of the stream ends, and a keeper that says which cells
remain. Both are frozen records of numbers with pure functions; all state is in the engine.
"""
