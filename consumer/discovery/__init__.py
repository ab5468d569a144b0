"""What a consumer adds to its registries: which of them a reference asks, and calls to the instances they name."""
