"""Motion as data: trajectories, systems of equations, weak forms, smoothing, sparse regression, integration."""
