# The four operations, constants and data: the smallest language, and a fast one.
# For relations that need no function, and as a baseline against which a richer grammar must pay for itself.
expr : expr + expr  @ 4
     | expr - expr  @ 2
     | expr * expr  @ 4
     | expr / expr  @ 2
     | CONST        @ 4
     | VAR          @ 8
