"""Checks of the columns that Tableau sends to the predeployed functions. Errors name the argument."""

import numbers


def as_numbers(name, column):
    """A column as a list of floats.

    Raises
    ------
    ValueError
        It isn't a column, is empty, or contains a null or something that isn't a number.
    """
    if not isinstance(column, (list, tuple)) or not column:
        raise ValueError("%s: expected a list of numbers that is not empty" % name)
    for value in column:
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != value:
            raise ValueError("%s contains %.50r: expected numbers, and no nulls" % (name, value))
    return [float(value) for value in column]


def name_columns(first, second, rest):
    """The arguments _arg1, _arg2 and *_argN as pairs of name and column."""
    return [("_arg%d" % (at + 1), column) for at, column in enumerate([first, second, *rest])]
