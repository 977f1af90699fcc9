# Terms of a library: sines and cosines of states, of their sums and differences, and products of two of these or of one and a state.
term  : wave
      | wave * wave
      | VAR * wave

wave  : sin(angle)
      | cos(angle)

angle : VAR
      | VAR - VAR
      | VAR + VAR
