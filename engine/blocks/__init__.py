"""One package a category, one file a block. The catalog finds them; nothing imports them by name."""
