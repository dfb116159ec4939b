"""One-way analysis of variance, by scipy."""

from _tabpy_predeployed.columns import as_numbers, name_columns


def anova(_arg1, _arg2, *_argN):
    """Tests whether all samples have the same mean: the p-value of a one-way analysis of variance.

    Parameters
    ----------
    _arg1, _arg2, *_argN : list of float
        The samples.

    Returns
    -------
    float
        From 0 to 1.
    """
    from scipy import stats

    samples = [as_numbers(name, column) for name, column in name_columns(_arg1, _arg2, _argN)]
    return float(stats.f_oneway(*samples).pvalue)
