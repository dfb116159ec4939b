"""A deployed function, as archives hold it."""


class CustomQueryObject:
    """Calls `custom_query`."""

    def query(self, *args, **kwargs):
        return self.custom_query(*args, **kwargs)
