"""People: accounts, API keys, one-time login links, throttled logins."""
