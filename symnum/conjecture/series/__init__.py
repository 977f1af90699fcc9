"""Series for a constant: BBP-type and binomial sums."""
