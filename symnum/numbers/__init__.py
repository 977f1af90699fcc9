"""Exact machinery for formulas of numbers and sequences: balls, integer relations, continued fractions, recurrences, and their store."""
