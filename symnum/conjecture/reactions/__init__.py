"""Balanced chemical reactions: formulas as people write them, exact least-sum balances, certificates where there is none."""
