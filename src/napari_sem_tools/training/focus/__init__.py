"""Training of networks that judge focus."""
