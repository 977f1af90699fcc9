"""Neural encoders of formulas and data, and the corpus that they learn from."""
