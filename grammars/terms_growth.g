# Terms of a library: growth, decay and switching: logarithms (Gompertz 1825), powers (Richards 1959), exponentials, sigmoids
# (Wilson & Cowan 1972), friction, ratios, waves of any frequency.
term   : rate
       | VAR * rate

rate   : log(VAR)
       | abs(VAR)
       | 1 / VAR
       | VAR ^ CONST
       | exp(CONST * VAR)
       | sin(CONST * VAR)
       | cos(CONST * VAR)
       | 1 / (1 + exp(CONST * VAR + CONST))
