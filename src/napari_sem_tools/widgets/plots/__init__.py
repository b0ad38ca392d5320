"""Plots of a particle table that brush with it."""
