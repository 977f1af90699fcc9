# Ratios of polynomials: saturation, resonance, kinetics, lenses, and Padé approximations.
# The polynomials are sums of monomials, each with at most one coefficient.
ratio    : poly / poly         @ 3
         | poly

poly     : poly + term         @ 3
         | term                @ 2

term     : CONST
         | monomial            @ 2
         | CONST * monomial    @ 4

monomial : monomial * factor
         | factor              @ 3

factor   : VAR                 @ 3
         | VAR ^ INT(2, 6)
