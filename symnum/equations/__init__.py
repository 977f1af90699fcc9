"""The tasks of equation discovery: ordinary and partial differential equations, conserved quantities."""
