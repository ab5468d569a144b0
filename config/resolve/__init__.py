"""Models to the policies that a consumer runs by."""
