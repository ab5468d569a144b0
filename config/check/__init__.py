"""A tree to the models of its sections; what is wrong is said in the words of the user."""
