"""Data sets of the course: what ships with it, what is fetched, and how each file is checked."""
