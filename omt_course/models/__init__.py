"""Networks of the course: autoencoders, their training loop, AE-OMT, and what measures them."""
