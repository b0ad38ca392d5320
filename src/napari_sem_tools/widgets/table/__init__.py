"""The *Particle table* widget and what is tied to it: marks, colours, filters, doubt."""
