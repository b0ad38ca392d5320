"""Classical focus measures: the table, what they look at, resolution estimates."""
