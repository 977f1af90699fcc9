# The elementary functions: what a scientist tries first, and symnum's default.
# A function never stands inside one of its own kind, at any depth: no sin(cos(x)), exp(exp(x)) or log(exp(x)); but the
# logarithm of a `sum` with an exponential is a law of its own (saturation, entropy, radiation).
# `wave` is what sin, cos and tan take, `growth` what exp, log, tanh and the inverse functions take, `plain` what is inside
# both. What is rare in laws (tan, asin, acos, atan) costs more.
expr   : expr + expr  @ 4
       | expr - expr  @ 2
       | expr * expr  @ 4
       | expr / expr  @ 2
       | -expr        @ 0.5
       | inv(expr)    @ 0.7
       | square(expr)
       | cube(expr)   @ 0.5
       | sqrt(expr)
       | exp(growth)
       | log(growth)  @ 0.7
       | log(sum)     @ 0.1
       | tanh(growth) @ 0.3
       | sin(wave)
       | cos(wave)
       | tan(wave)    @ 0.1 $ 3
       | asin(growth) @ 0.05 $ 3
       | acos(growth) @ 0.05 $ 3
       | atan(growth) @ 0.1 $ 3
       | CONST        @ 4
       | VAR          @ 9

sum    : exp(growth) + growth
       | exp(growth) - growth
       | growth - exp(growth)

wave   : wave + wave  @ 3
       | wave - wave  @ 1.5
       | wave * wave  @ 4
       | wave / wave  @ 1.5
       | -wave        @ 0.3
       | inv(wave)    @ 0.4
       | square(wave)
       | cube(wave)   @ 0.3
       | sqrt(wave)   @ 0.5
       | exp(plain)   @ 0.3
       | log(plain)   @ 0.3
       | tanh(plain)  @ 0.1
       | CONST        @ 6
       | VAR          @ 12

growth : growth + growth  @ 3
       | growth - growth  @ 1.5
       | growth * growth  @ 4
       | growth / growth  @ 1.5
       | -growth
       | inv(growth)  @ 0.5
       | square(growth)
       | cube(growth)     @ 0.3
       | sqrt(growth)     @ 0.5
       | sin(plain)       @ 0.3
       | cos(plain)       @ 0.3
       | CONST            @ 6
       | VAR              @ 12

plain  : plain + plain  @ 3
       | plain - plain  @ 1.5
       | plain * plain  @ 4
       | plain / plain  @ 1.5
       | -plain         @ 0.5
       | inv(plain)     @ 0.5
       | square(plain)
       | cube(plain)    @ 0.3
       | sqrt(plain)    @ 0.5
       | CONST          @ 6
       | VAR            @ 12
