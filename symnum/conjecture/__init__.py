"""The conjecture tasks: what stands behind a number's digits, a sequence, a table of objects, a chemical reaction."""
