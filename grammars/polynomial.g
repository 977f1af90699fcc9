# Polynomials as sums of monomials, each with at most one coefficient.
# For smooth dependences, expansions, and laws that are known to be polynomial.
poly     : poly + term         @ 3
         | term                @ 2

term     : CONST
         | monomial            @ 2
         | CONST * monomial    @ 4

monomial : monomial * factor
         | factor              @ 3

factor   : VAR                 @ 3
         | VAR ^ INT(2, 6)
