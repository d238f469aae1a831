"""Everything a training needs to go on exactly where it stopped, written to disk and read back."""
