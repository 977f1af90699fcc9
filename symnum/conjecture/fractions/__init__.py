"""Continued fractions for a constant: polynomial terms, and signed interlaced ones."""
