"""Shapes: polytopes, meshes and maps of surfaces."""
