"""Principal component analysis, by scikit-learn."""

from _tabpy_predeployed.columns import as_numbers, name_columns

MAX_CATEGORIES = 25


def PCA(component, _arg1, _arg2, *_argN):
    """Gives each row's value of a principal component of the columns.

    All columns are scaled to a mean of 0 and a variance of 1. A column of text counts as one column of zeros and ones
    for each different text in it, of which there may be up to 25.

    Parameters
    ----------
    component : int
        Which one, from 1 to the number of columns.
    _arg1, _arg2, *_argN : list
        Columns of the same length, each of numbers or of text, without nulls and without empty text.

    Returns
    -------
    list of float
    """
    import numpy
    from sklearn.decomposition import PCA as Decomposition
    from sklearn.preprocessing import StandardScaler

    columns = name_columns(_arg1, _arg2, _argN)
    if isinstance(component, bool) or not isinstance(component, int) or not 1 <= component <= len(columns):
        raise ValueError("component %.50r: expected an integer from 1 to the number of columns, %d"
                         % (component, len(columns)))
    rows = {len(column) if isinstance(column, (list, tuple)) else 0 for _, column in columns}
    if len(rows) > 1:
        raise ValueError("The columns have different lengths: expected lists of one length")
    if rows == {0}:
        raise ValueError("The columns are empty: expected lists with at least one row")
    data = numpy.hstack([_encoded(name, column) for name, column in columns])
    if component > min(data.shape):
        raise ValueError("component %d: expected no more than there are rows, %d" % (component, len(data)))
    scaled = StandardScaler().fit_transform(data)
    return Decomposition(svd_solver="full").fit_transform(scaled)[:, component - 1].tolist()


def _encoded(name, column):
    """A column as an array of one or more columns of numbers."""
    import numpy
    from sklearn.preprocessing import OneHotEncoder

    if not any(isinstance(value, str) for value in column):
        return numpy.array([[float(value)] for value in column] if _are_booleans(column) else
                           [[value] for value in as_numbers(name, column)])
    for value in column:
        if not isinstance(value, str) or not value.strip():
            raise ValueError("%s contains %.50r: expected text in each row, and no nulls" % (name, value))
    categories = len(set(column))
    if categories > MAX_CATEGORIES:
        raise ValueError("%s contains %d different texts: expected no more than %d"
                         % (name, categories, MAX_CATEGORIES))
    return OneHotEncoder().fit_transform([[value] for value in column]).toarray()


def _are_booleans(column):
    return all(isinstance(value, bool) for value in column)
