"""The predeployed functions, with scikit-learn, scipy and nltk themselves; and the program that deploys them."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

from old_tabpy import OldTabPy
from tabpy.tabpy_tools.client import Client

try:
    import cloudpickle
    import nltk
    import scipy
    import sklearn
except ImportError:
    cloudpickle = nltk = scipy = sklearn = None

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "src", "programs")

# The format of nltk's own file: word, mean, deviation, ratings.
LEXICON = "good\t1.9\t0.9\t[2, 1]\ngreat\t3.1\t0.7\t[3, 3]\nbad\t-2.5\t0.7\t[-3, -2]"


def needs_packages(case):
    return unittest.skipIf(sklearn is None, "cloudpickle, nltk, scipy or scikit-learn is not installed")(case)


def write_lexicon(folder):
    """A small lexicon where nltk looks for its own."""
    os.makedirs(os.path.join(folder, "sentiment"))
    with zipfile.ZipFile(os.path.join(folder, "sentiment", "vader_lexicon.zip"), "w") as file:
        file.writestr("vader_lexicon/vader_lexicon.txt", LEXICON)


@needs_packages
class FunctionsTest(unittest.TestCase):
    def refused(self, function, *arguments):
        with self.assertRaises(ValueError) as caught:
            function(*arguments)
        return str(caught.exception)

    def test_pca_returns_a_component_of_scaled_columns(self):
        from _tabpy_predeployed.pca import PCA
        from sklearn import datasets, decomposition, preprocessing
        data = datasets.load_iris().data
        columns = data.T.tolist()
        whole = decomposition.PCA(n_components=4).fit_transform(preprocessing.StandardScaler().fit_transform(data))
        for component in (1, 2, 3, 4):
            with self.subTest(component):
                values = PCA(component, *columns)
                self.assertIs(type(values[0]), float)
                self.assertEqual(len(values), len(data))
                for value, expected in zip(values, whole[:, component - 1]):
                    self.assertAlmostEqual(value, expected, places=9)

    def test_pca_encodes_text_as_a_column_for_each_text(self):
        from _tabpy_predeployed.pca import PCA
        texts = ["a", "b", "c", "a", "b", "a"]
        numbers = [1, 2, 3, 4, 5, 7.5]
        ones = [[1 if text == letter else 0 for text in texts] for letter in "abc"]
        for value, expected in zip(PCA(2, texts, numbers), PCA(2, *ones, numbers)):
            self.assertAlmostEqual(value, expected, places=9)
        self.assertEqual(PCA(1, [True, False], [1, 2]), PCA(1, [1, 0], [1, 2]))
        self.assertEqual(len(PCA(1, [str(at) for at in range(25)], list(range(25)))), 25)

    def test_pca_refuses_columns_that_it_cannot_use(self):
        from _tabpy_predeployed.pca import PCA
        numbers = [1, 2, 3]
        for arguments, message in (
            ((0, numbers, numbers), "component 0: expected an integer from 1 to the number of columns, 2"),
            ((3, numbers, numbers), "component 3: "), (("1", numbers, numbers), "component '1': "),
            ((True, numbers, numbers), "component True: "),
            ((1, numbers, [1, 2]), "different lengths"), ((1, [], []), "The columns are empty"), ((1, 5, 5), "The columns are empty"),
            ((1, numbers, [1, None, 3]), "_arg2 contains None"),
            ((1, ["a", None, "b"], numbers), "_arg1 contains None"),
            ((1, numbers, ["a", "", "b"]), "_arg2 contains ''"), ((1, numbers, ["a", 1, "b"]), "_arg2 contains 1"),
            ((1, [str(at) for at in range(26)], list(range(26))), "_arg1 contains 26 different texts"),
            ((2, [1], [2]), "component 2: expected no more than there are rows, 1"),
        ):
            with self.subTest(message):
                self.assertIn(message, self.refused(PCA, *arguments))

    def test_ttest_compares_two_samples(self):
        from _tabpy_predeployed.ttest import ttest
        from scipy import stats
        first, second = [1, 2, 3, 4, 6], [3, 4, 5.5, 7, 9]
        expected = stats.ttest_ind(first, second).pvalue
        self.assertAlmostEqual(ttest(first, second), expected)
        self.assertIs(type(ttest(first, second)), float)
        for names in ("ab", [True, False], [0, 1]):
            with self.subTest(names):
                self.assertAlmostEqual(ttest(first + second, [names[0]] * 5 + [names[1]] * 5), expected)
        self.assertAlmostEqual(ttest([1, 2, 4], [5, 6, 7, 9]), stats.ttest_ind([1, 2, 4], [5, 6, 7, 9]).pvalue)
        self.assertAlmostEqual(ttest([1, 2], [5, 7]), stats.ttest_ind([1, 2], [5, 7]).pvalue)

    def test_ttest_compares_a_sample_with_a_known_mean(self):
        from _tabpy_predeployed.ttest import ttest
        from scipy import stats
        expected = stats.ttest_1samp([1, 2, 3, 4, 6], 5).pvalue
        for mean in (5, 5.0, [5]):
            with self.subTest(mean):
                self.assertAlmostEqual(ttest([1, 2, 3, 4, 6], mean), expected)

    def test_ttest_refuses_what_it_cannot_compare(self):
        from _tabpy_predeployed.ttest import ttest
        for arguments, message in (
            (([1, None], [1, 2]), "_arg1 contains None"), (([1, 2], [1, None]), "_arg2 contains None"),
            ((["a"], [1]), "_arg1 contains 'a'"), (([], [1]), "_arg1: expected a list"), (([1, 2], None), "_arg2 contains None"),
            (([1, 2, 3], ["a", "b", "c"]), "_arg2 contains 3 different values"),
            (([1, 2, 3], ["a", "b", None]), "_arg2 contains 3 different values"),
            (([1, 2, 3], ["a", None, "a"]), "_arg2 contains 2 different values: expected the names of two samples"),
            (([1, 2, 3], ["a", "b"]), "_arg2 has 2 rows: expected as many as _arg1, 3"),
        ):
            with self.subTest(message):
                self.assertIn(message, self.refused(ttest, *arguments))

    def test_anova_compares_samples(self):
        from _tabpy_predeployed.anova import anova
        from scipy import stats
        samples = [1, 2, 3, 4], [2, 3, 4, 5], [7, 8, 9.5, 10, 11]
        self.assertAlmostEqual(anova(*samples), stats.f_oneway(*samples).pvalue)
        self.assertAlmostEqual(anova(*samples[:2]), stats.f_oneway(*samples[:2]).pvalue)
        self.assertIn("_arg3 contains 'x'", self.refused(anova, *samples[:2], ["x"]))

    def test_sentiment_analysis_scores_texts(self):
        from _tabpy_predeployed import sentiment_analysis
        with tempfile.TemporaryDirectory() as folder:
            write_lexicon(folder)
            with mock.patch.object(nltk.data, "path", [folder]):
                score = sentiment_analysis.make()
        self.assertEqual([value is None or (value > 0) - (value < 0) for value in
                          score(["a good day", "a bad one", "a day", None, "not good"])], [1, -1, 0, True, -1])
        self.assertGreater(score(["GREAT!!!"])[0], score(["great"])[0])
        self.assertEqual(score("good"), score(["good"], library="nltk"))
        self.assertIn("library 'spacy': expected 'nltk' or 'textblob'", self.refused(score, ["good"], "spacy"))
        self.assertIn("_arg1 contains 5", self.refused(score, ["good", 5]))
        self.assertIn("_arg1 5", self.refused(score, 5))
        with mock.patch.dict(sys.modules, {"textblob": None}), self.assertRaises(ImportError) as caught:
            score(["good"], library="textblob")
        self.assertIn("'textblob' is not installed", str(caught.exception))


class DeployTest(unittest.TestCase):
    """The program as `tabpy deploy-models` runs it, against a server in this process."""

    def setUp(self):
        self.tabpy = OldTabPy(takes_uploads=True).__enter__()
        self.addCleanup(self.tabpy.__exit__, None, None, None)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_program(self, job=None, hide=()):
        """(exit code, standard output, standard error)"""
        sources = {"_tabpy_predeployed": "", "tabpy": "", "tabpy.tabpy_tools": ""}
        for package, below in (("_tabpy_predeployed", "predeployed"), ("tabpy.tabpy_tools", "tabpy/tabpy_tools")):
            for name in os.listdir(os.path.join(PROGRAMS, below)):
                if name.endswith(".py") and name != "__init__.py":
                    with open(os.path.join(PROGRAMS, below, name), encoding="utf-8") as file:
                        sources["%s.%s" % (package, name[:-3])] = file.read()
        for module in hide:
            sources[module] = "raise ImportError('No module named %s')" % module
        job = {"url": self.tabpy.url, "certificate": None, "username": None, "password": None, **(job or {})}
        with open(os.path.join(PROGRAMS, "predeployed", "boot.py"), encoding="utf-8") as file:
            program = file.read()
        ended = subprocess.run(
            [sys.executable, "-c", program], input=json.dumps({"sources": sources, "job": job}), capture_output=True,
            encoding="utf-8", env={**os.environ, "NLTK_DATA": self.folder, "HOME": self.folder})
        return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()

    @needs_packages
    def test_all_are_deployed_and_need_no_module_of_the_program(self):
        write_lexicon(self.folder)
        # This process doesn't have the module, so the functions themselves were pickled.
        self.assertNotIn("_tabpy_predeployed.anova", sys.modules)
        with mock.patch.dict(sys.modules):
            sys.modules.pop("_tabpy_predeployed")
            code, printed, errors = self.run_program()
            self.assertEqual((code, errors), (0, []))
            self.assertEqual(printed, ["Successfully deployed %s" % name
                                       for name in ("PCA", "Sentiment Analysis", "ttest", "anova")])
            client = Client(self.tabpy.url)
            for name, arguments in (("PCA", (1, [1, 2, 4], [3, 1, 5])), ("Sentiment Analysis", (["good"],)),
                                    ("ttest", ([1, 2, 4], [3, 1, 5])), ("anova", ([1, 2, 4], [3, 1, 5]))):
                with self.subTest(name):
                    self.assertIn(type(client.query(name, *arguments)["response"]), (list, float))
        self.assertEqual(self.run_program()[0], 0)
        self.assertEqual({endpoint["version"] for endpoint in client.get_endpoints().values()}, {2})

    @needs_packages
    def test_a_missing_package_is_named_and_the_rest_is_deployed(self):
        code, printed, errors = self.run_program(hide=("scipy.stats",))
        self.assertEqual(code, 1)
        self.assertNotIn("Successfully deployed ttest", printed)
        self.assertIn("Cannot deploy Sentiment Analysis: nltk's lexicon is missing: %s -m nltk.downloader vader_lexicon"
                      % sys.executable, errors)
        self.assertIn("Cannot deploy ttest: No module named scipy.stats; it needs scipy: %s -m pip install scipy"
                      % sys.executable, errors)

    @needs_packages
    def test_the_lexicon_alone_is_missing(self):
        code, printed, errors = self.run_program()
        self.assertEqual((code, printed), (1, ["Successfully deployed PCA", "Successfully deployed ttest",
                                               "Successfully deployed anova"]))
        self.assertEqual(len(errors), 1)

    def test_cloudpickle_is_missing(self):
        code, printed, errors = self.run_program(hide=("cloudpickle",))
        self.assertEqual((code, printed), (1, []))
        self.assertEqual(errors, ["Deploying needs cloudpickle: %s -m pip install cloudpickle" % sys.executable])

    def test_a_server_that_is_not_running_is_reported_in_one_line(self):
        code, printed, errors = self.run_program({"url": "http://127.0.0.1:9/"})
        self.assertEqual((code, printed, len(errors)), (1, [], 1))
        self.assertIn("Cannot reach http://127.0.0.1:9/", errors[0])
        self.assertEqual(self.run_program({"certificate": "/no/such.pem"})[2],
                         ["Cannot read the certificate /no/such.pem: No such file or directory"])
