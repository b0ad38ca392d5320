"""The widgets of the suite: each gathers settings, starts a task and shows records."""
