"""What changes the weights: optimisers, schedules, averages, and the search for a learning rate."""
