"""Images as a table and as a gallery: the list that Classify and Catalogue share."""
