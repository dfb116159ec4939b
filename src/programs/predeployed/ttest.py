"""Student's t-test, by scipy."""

from _tabpy_predeployed.columns import as_numbers


def ttest(_arg1, _arg2):
    """Tests whether means are equal: the two-sided p-value of a t-test.

    Parameters
    ----------
    _arg1 : list of float
        Observations.
    _arg2 : list of float, list or float
        Observations of a second sample; or a list as long as _arg1 of two different values that tell to which of two
        samples each observation in _arg1 belongs; or one number, the known mean of the population.

    Returns
    -------
    float
        From 0 to 1. The two samples are assumed to be independent and to have the same variance.
    """
    from scipy import stats

    observations = as_numbers("_arg1", _arg1)
    if not isinstance(_arg2, (list, tuple)):
        mean, = as_numbers("_arg2", [_arg2])
        return float(stats.ttest_1samp(observations, mean).pvalue)
    if len(_arg2) == 1 < len(observations) and not isinstance(_arg2[0], str):  # as Tableau sends a constant
        return ttest(observations, _arg2[0])
    groups = sorted(set(_arg2), key=str)
    are_labels = any(isinstance(value, (str, bool)) for value in _arg2)
    if are_labels or (len(groups) == 2 and len(_arg2) == len(observations) > 2):
        if len(groups) != 2 or None in groups:
            raise ValueError("_arg2 contains %d different values: expected the names of two samples, and no nulls"
                             % len(groups))
        if len(_arg2) != len(observations):
            raise ValueError("_arg2 has %d rows: expected as many as _arg1, %d" % (len(_arg2), len(observations)))
        samples = [[value for value, label in zip(observations, _arg2) if label == group] for group in groups]
    else:
        samples = [observations, as_numbers("_arg2", _arg2)]
    return float(stats.ttest_ind(*samples).pvalue)
