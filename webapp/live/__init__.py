"""Sockets that follow a run or a project while it changes."""
