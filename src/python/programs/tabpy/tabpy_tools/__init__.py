"""Client of a TabPy server."""
