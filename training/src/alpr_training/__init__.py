"""Synthetic plates, training, export and evaluation of the models this system ships."""
