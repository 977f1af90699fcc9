"""The command line, one file per group of commands: each has `register(app)`, which adds its commands to the `symnum` app."""
