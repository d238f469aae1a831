"""Models at rest and at work: the bundle format, declarative preprocessing, and predicting."""
