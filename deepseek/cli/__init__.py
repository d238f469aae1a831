"""The ``deepseek`` command. ``app`` reads the command's name and loads only that command's module."""
