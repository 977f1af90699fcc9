# Closed forms of numbers: both sides of an equation for a number, as the two-sided search of `identify` builds them.
# Costs follow how people write formulas (and the weights of RIES, R. Munafo): small integers, pi and e are cheap,
# the trigonometric functions cost more. There is no minus sign: only positive values are kept.
# VAR is the number, on one side, or one of the constants that the search supplies: golden, euler, catalan, zeta(3).
number : number + number   $ 1
       | number - number   $ 1
       | number * number   $ 1
       | number / number   $ 1
       | number ^ number   $ 2
       | square(number)    $ 2
       | sqrt(number)      $ 2
       | inv(number)       $ 2
       | exp(number)       $ 3
       | log(number)       $ 3
       | sin(number)       $ 4
       | cos(number)       $ 4
       | tan(number)       $ 4
       | atan(number)      $ 6
       | tanh(number)      $ 4
       | gamma(number)     $ 5
       | VAR               $ 4
       | 1 $ 3 | 2 $ 3 | 3 $ 3 | 4 $ 4 | 5 $ 4 | 6 $ 5 | 7 $ 5 | 8 $ 5 | 9 $ 5 | 10 $ 6
       | pi $ 3 | e $ 3
