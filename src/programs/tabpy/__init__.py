"""The parts of the `tabpy` package that scripts and deployed functions use."""
