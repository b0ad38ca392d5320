"""How images and masks are changed while a network learns."""
