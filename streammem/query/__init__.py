"""Questions: understood without a model, answered from snapshots by symbolic operators."""
