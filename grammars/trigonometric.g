# Sums and products of trigonometric functions and their inverses, whose arguments are arithmetic.
# For oscillation, waves, rotation, geometry and angles.
wave  : wave + wave    @ 4
      | wave - wave    @ 2
      | wave * wave    @ 4
      | wave / wave
      | square(wave)
      | sin(angle)     @ 2
      | cos(angle)     @ 2
      | tan(angle)     @ 0.5
      | asin(angle)    @ 0.3
      | acos(angle)    @ 0.3
      | atan(angle)    @ 0.5
      | CONST          @ 5
      | VAR            @ 7

angle : angle + angle  @ 3
      | angle - angle  @ 1.5
      | angle * angle  @ 4
      | angle / angle  @ 1.5
      | CONST          @ 5
      | VAR            @ 8
      | pi             @ 0.5
