"""The *Catalogue* widget: what is on the disks, what looks alike, a map of it."""
