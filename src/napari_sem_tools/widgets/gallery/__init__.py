"""Images as a table and as a gallery: the lists of Classify, Catalogue and Focus."""
