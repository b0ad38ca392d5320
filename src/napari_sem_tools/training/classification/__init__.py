"""Categories of whole images: listing, near-duplicates, splits, pictures, the session."""
