"""The command ``sem-tools``: one file a command; the only room that prints."""
