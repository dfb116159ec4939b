"""Client of a TabPy server: see `tabpy.tabpy_tools.client.Client`."""
