"""Deploys the predeployed functions through the server's HTTP interface, and prints a line about each.

boot.py runs it; src/cli/deploy-models.ts tells it where the server is.
"""

import importlib
import ssl
import sys

from tabpy.tabpy_tools.client import Client, ResponseError

PARTIAL_CHAIN = 0x80000  # ssl.VERIFY_X509_PARTIAL_CHAIN, which has a name only since Python 3.10


def make_pca():
    importlib.import_module("sklearn.decomposition")
    return importlib.import_module("_tabpy_predeployed.pca").PCA


def make_sentiment_analysis():
    return importlib.import_module("_tabpy_predeployed.sentiment_analysis").make()


def make_ttest():
    importlib.import_module("scipy.stats")
    return importlib.import_module("_tabpy_predeployed.ttest").ttest


def make_anova():
    importlib.import_module("scipy.stats")
    return importlib.import_module("_tabpy_predeployed.anova").anova


# Endpoint, its description, the factory of the function, and the package that it needs.
MODELS = (
    ("PCA", "Gives the values of a principal component of columns", make_pca, "scikit-learn"),
    ("Sentiment Analysis", "Rates how positive texts are, from -1 to 1", make_sentiment_analysis, "nltk"),
    ("ttest", "Gives the p-value of a t-test", make_ttest, "scipy"),
    ("anova", "Gives the p-value of a one-way analysis of variance", make_anova, "scipy"),
)


def main(job):
    """Deploy all of them; returns the exit code.

    Parameters
    ----------
    job : dict
        `url`; `certificate`, the server's own certificate file or None; `username` and `password` or None.
    """
    certificate = job["certificate"]
    try:
        client = Client(job["url"], verify=True if certificate is None else trust_only(certificate))
        if job["username"] is not None:
            client.set_credentials(job["username"], job["password"])
        client.get_status()
        import cloudpickle
    except ImportError:
        return fail("Deploying needs cloudpickle: %s -m pip install cloudpickle" % sys.executable)
    except ResponseError as error:
        return fail("%s refused: %s" % (job["url"], error.message))
    except (OSError, ValueError) as error:
        return fail(str(error))
    # The server doesn't have this module: pickle the functions themselves, not references to them.
    cloudpickle.register_pickle_by_value(importlib.import_module("_tabpy_predeployed"))
    return max([deploy(client, *model) for model in MODELS])


def deploy(client, name, description, make, package):
    """Deploy one. Returns 0, or 1 after printing why it failed."""
    try:
        function = make()
    except ImportError as error:
        return fail("Cannot deploy %s: %s; it needs %s: %s -m pip install %s"
                    % (name, error, package, sys.executable, package))
    except LookupError:
        return fail("Cannot deploy %s: nltk's lexicon is missing: %s -m nltk.downloader vader_lexicon"
                    % (name, sys.executable))
    except Exception as error:  # any, here and below: the other functions are still deployed
        return fail("Cannot deploy %s: %s" % (name, error))
    try:
        client.deploy(name, function, description, override=True)
    except Exception as error:
        return fail("Cannot deploy %s: %s" % (name, error))
    print("Successfully deployed %s" % name, flush=True)
    return 0


def fail(text):
    print(text, file=sys.stderr, flush=True)
    return 1


def trust_only(certificate):
    """A context that accepts exactly this certificate, for any host name: the server is addressed as localhost, which
    its certificate doesn't name.
    """
    try:
        context = ssl.create_default_context(cafile=certificate)
    except OSError as error:
        raise ValueError("Cannot read the certificate %s: %s" % (certificate, error.strerror or error)) from None
    context.check_hostname = False
    context.verify_flags |= PARTIAL_CHAIN
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context
