"""Workspaces, their members and invitations, and the projects in them."""
