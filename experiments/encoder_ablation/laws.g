# Laws for the ablation alone: no encoder is trained on this grammar. One to three terms; a term is a product or a
# quotient of simple factors; a factor may hold constants of its own (rates, phases, half-saturations).
law    : term                     @ 3
       | CONST * term + term      @ 3
       | CONST * term - term      @ 2
       | term + CONST * term + CONST * term
       | sqrt(sum)                @ 0.7
       | sum / sum                @ 0.7

sum    : term + term
       | CONST + term
       | term - CONST * term

term   : factor                   @ 2
       | factor * factor          @ 4
       | factor / factor          @ 3
       | factor * factor * factor
       | factor * factor / factor

factor : VAR                      @ 8
       | square(VAR)              @ 1.5
       | sqrt(VAR)                @ 0.7
       | CONST + VAR              @ 2
       | VAR - VAR
       | VAR + CONST * VAR
       | exp(rate)                @ 1.5
       | log(CONST + VAR)         @ 0.5
       | log(VAR)                 @ 0.5
       | sin(phase)               @ 1.5
       | cos(phase)               @ 1.5
       | tanh(rate)               @ 0.3
       | square(VAR) + square(VAR) @ 0.5

rate   : CONST * VAR              @ 2
       | -VAR
       | CONST * VAR * VAR
       | -square(VAR)             @ 0.5
       | VAR / (CONST + VAR)      @ 0.5

phase  : VAR                      @ 0.5
       | CONST * VAR              @ 2
       | CONST * VAR + CONST      @ 2
       | VAR * VAR
       | VAR - VAR                @ 0.5
