"""The head of the chain: a reference, its methods, and how their calls begin and end."""
