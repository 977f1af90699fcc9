"""The census of all polynomial continued fractions of a domain: dynamics, clusters, and the constants that they hold."""
