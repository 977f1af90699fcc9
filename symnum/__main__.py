"""`python -m symnum`: the command line where its script is not on the path."""

from symnum.cli import main

if __name__ == "__main__":
    main()
