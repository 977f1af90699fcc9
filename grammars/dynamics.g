# Right-hand sides of equations of motion: what changes a state, as sums of products, saturations and functions of the states.
# A function never stands inside one of its own kind.
law    : law + law     @ 5
       | law - law     @ 4
       | law * law     @ 5
       | law / law     @ 3
       | square(law)
       | cube(law)     @ 0.3
       | inv(law)      @ 0.3
       | sqrt(law)     @ 0.3
       | law ^ CONST   @ 0.3
       | sin(angle)
       | cos(angle)
       | tan(angle)    @ 0.1 $ 3
       | exp(angle)
       | log(angle)    @ 0.7
       | tanh(angle)   @ 0.3
       | abs(law)      @ 0.3
       | CONST         @ 6
       | VAR           @ 12

angle  : angle + angle @ 3
       | angle - angle @ 3
       | angle * angle @ 4
       | angle / angle @ 1
       | -angle
       | square(angle) @ 0.5
       | CONST         @ 6
       | VAR           @ 12
