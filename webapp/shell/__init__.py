"""The server-rendered pages around the front end."""
