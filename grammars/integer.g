# Closed forms of integer sequences over the index: the four operations, powers, square roots, factorials, small integers.
# For exact terms: values are compared exactly or after rounding down, so that there are no free constants.
expr : VAR             @ 8
     | expr + expr     @ 4
     | expr - expr     @ 2
     | expr * expr     @ 4
     | expr / expr     @ 2
     | expr ^ expr
     | square(expr)
     | sqrt(expr)      @ 0.5
     | gamma(expr + 1) @ 0.5 $ 2
     | pi              @ 0.1 $ 2
     | e               @ 0.1 $ 2
     | (1 + sqrt(5))/2 @ 0.1 $ 3
     | INT(1, 9)       @ 3
