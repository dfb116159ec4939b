"""Runs the unit tests of the worker program (src/programs) with the Python that runs this file.

    python test/programs/run.py [PATTERN]

PATTERN names the files to run, test_*.py when it is missing. The last line counts the tests, a table of cases as
one: `12 passed, 0 failed`, followed by `, 3 skipped` when some could not run here. Exit code 1 when a test
failed or none ran. versions.test.ts runs this with every Python that it finds.
"""

import importlib.util
import os
import sys
import types
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.path.join(HERE, "..", "..", "src", "programs")


def put_on_import_path():
    """Make the sources importable by the names that they have in a worker."""
    for name, folder in (("_tabpy_worker", os.path.join(PROGRAMS, "worker")), ("_tabpy_predeployed", os.path.join(PROGRAMS, "predeployed"))):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [folder]
    import_package("tabpy", os.path.join(PROGRAMS, "tabpy"))
    # One copy is used by all versions, most of which have none or an old one.
    borrowed = os.environ.get("TABPY_TEST_CLOUDPICKLE")
    if borrowed:
        import_package("cloudpickle", borrowed)


def import_package(name, folder):
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])


class Result(unittest.TextTestResult):
    """Counts tests, not cases: a test whose cases fail five times failed once."""

    passed = 0

    def addSuccess(self, test):
        self.passed += 1  # testsRun counts the skipped ones too, or not: it depends on the version
        super().addSuccess(test)

    def outcome(self):
        """How many tests passed, failed and were skipped."""
        failed = {getattr(test, "test_case", test).id() for test, _ in self.failures + self.errors}
        return self.passed, len(failed) + len(self.unexpectedSuccesses), len(self.skipped)


def main(pattern="test_*.py"):
    sys.dont_write_bytecode = True  # leave no files among the sources
    put_on_import_path()
    suite = unittest.defaultTestLoader.discover(HERE, pattern, HERE)
    result = unittest.TextTestRunner(resultclass=Result, verbosity=1, warnings="default").run(suite)
    sys.stderr.flush()
    passed, failed, skipped = result.outcome()
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
