# Laws as physics writes them: products of powers with small rational exponents, exact small factors, pi, decay,
# oscillation and saturation. A function's argument is `inner`: arithmetic and powers, but no further function.
law   : law + law            @ 3
      | law - law            @ 2
      | law * law            @ 6
      | law / law            @ 4
      | -law                 @ 0.3
      | square(law)          @ 1.5
      | cube(law)            @ 0.3
      | sqrt(law)            @ 1.5
      | law ^ INT(4, 6)      @ 0.3
      | law ^ INT(-4, -1)    @ 0.5
      | law ^ (3/2)          @ 0.3
      | law ^ (-3/2)         @ 0.2
      | law ^ (INT(1, 2)/3)  @ 0.2
      | exp(inner)           @ 0.3
      | exp(-inner)          @ 0.7
      | log(inner)           @ 0.5
      | sin(inner)
      | cos(inner)
      | tan(inner)           @ 0.2
      | tanh(inner)          @ 0.3
      | pi
      | INT(2, 4)            @ 1.5
      | CONST                @ 3
      | VAR                  @ 12

inner : inner + inner        @ 2
      | inner - inner        @ 1.5
      | inner * inner        @ 5
      | inner / inner        @ 4
      | square(inner)        @ 1.5
      | sqrt(inner)
      | inner ^ INT(-4, -1)  @ 0.3
      | pi                   @ 0.5
      | INT(2, 4)
      | CONST                @ 3
      | VAR                  @ 14
