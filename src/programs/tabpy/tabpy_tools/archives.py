"""From a function to the bytes of an archive. Only this module imports cloudpickle, when something is deployed."""

import pickle
import platform

from tabpy.tabpy_tools.custom_query_object import CustomQueryObject
from tabpy.tabpy_tools.query_object import QueryObject


def as_query_object(obj, description=""):
    """The query object for what a user wants to deploy.

    Raises
    ------
    TypeError
        It is neither a function nor a `QueryObject`.
    """
    if isinstance(obj, QueryObject):
        return obj
    if callable(obj):
        return CustomQueryObject(obj, description)
    raise TypeError(
        "Cannot deploy an object of type %s: expected a function, for example one that calls the object's predict, "
        "or a QueryObject" % type(obj).__name__)


def write_archive(query_object, file):
    """Write the archive of a query object to a binary file.

    Returns
    -------
    dict
        `python_version` and `cloudpickle_version`, the versions that made it.

    Raises
    ------
    ImportError
        cloudpickle is not installed.
    pickle.PicklingError
        The object, or something that it uses, can't be saved.
    """
    try:
        import cloudpickle
    except ImportError:
        raise ImportError("Deploying needs cloudpickle: pip install cloudpickle") from None
    try:
        cloudpickle.dump(query_object, file)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        name = getattr(getattr(query_object, "custom_query", query_object), "__name__", type(query_object).__name__)
        raise pickle.PicklingError("Cannot save %r: %s" % (name, error)) from error
    return {"python_version": platform.python_version(), "cloudpickle_version": cloudpickle.__version__}
