"""The *Train* widget: set, choices, curves, previews."""
