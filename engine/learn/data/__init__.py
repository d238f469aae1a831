"""What a step is given: batches, augmentation, mixing, and the batch that fits in memory."""
