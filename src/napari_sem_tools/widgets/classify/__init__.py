"""The *Classify* widget: an image, many files, own categories from examples."""
