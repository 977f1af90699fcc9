"""The rule behind the first terms of a sequence."""
