"""Conjectured bounds over tables of objects, graphs above all, and the search for what breaks them."""
