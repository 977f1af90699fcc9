# Terms of a library: saturation and inhibition as in enzyme kinetics, gene regulation and predation (Michaelis & Menten 1913, Hill 1910,
# Holling 1959), alone or times a state. The half-saturation is a free constant.
term   : rate
       | VAR * rate

rate   : VAR / (CONST + VAR)
       | VAR^2 / (CONST + VAR^2)
       | VAR^4 / (CONST + VAR^4)
       | 1 / (CONST + VAR)
       | 1 / (CONST + VAR^2)
