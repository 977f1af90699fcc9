# Closed forms of numbers: both sides of an equation for the number `x`, as the two-sided search of `identify` builds them.
# Costs follow how people write formulas (and the weights of RIES, R. Munafo): small integers, pi and e are cheap,
# the other constants and the trigonometric functions cost more. There is no minus sign: only positive values are kept.
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
       | x                 $ 3
       | 1 $ 3 | 2 $ 3 | 3 $ 3 | 4 $ 4 | 5 $ 4 | 6 $ 5 | 7 $ 5 | 8 $ 5 | 9 $ 5 | 10 $ 6
       | pi $ 3 | e $ 3 | golden $ 5 | euler $ 6 | catalan $ 6 | `zeta(3)` $ 6
