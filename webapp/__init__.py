"""The web application: accounts, workspaces, pipelines, artifacts and runs. Never imports torch."""
