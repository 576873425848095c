"""Geometric optimal transport for generative models: the package behind the course."""

__version__ = "0.1.0"
