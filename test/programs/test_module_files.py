"""Which files of imported modules a worker tells the server."""

import os
import tempfile
import unittest

from worker_process import WorkerProcess


class ModuleFilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        self.worker = WorkerProcess()
        self.addCleanup(self.worker.close)

    def write(self, *parts):
        path = os.path.join(self.folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("")
        return path

    def told_by(self, *statements):
        """(own, paths in the folder) of messages that have any, after scripts with one statement each and one without."""
        self.worker.modules.clear()
        before = "import sys\nif _arg1 not in sys.path: sys.path.append(_arg1)\n"
        for statement in (*statements, "pass"):
            header, body = self.worker.evaluate(before + statement, self.folder)
            self.assertEqual(header["kind"], "result", body)
        return self.told()

    def told(self):
        inside = [(header["own"], [path for path in paths if path.startswith(self.folder)]) for header, paths in self.worker.modules]
        return [(own, paths) for own, paths in inside if paths]

    def test_tells_each_file_once(self):
        first, second = self.write("first_own.py"), self.write("package_own", "part.py")
        package = self.write("package_own", "__init__.py")
        self.assertEqual(self.told_by("import first_own", "import first_own", "import package_own.part"),
                         [(True, [first]), (True, [package, second])])

    def test_tells_only_where_installed_packages_begin(self):
        begin = self.write("site-packages", "installed_one", "__init__.py")
        self.write("site-packages", "installed_one", "part.py")
        add = "sys.path.append(_arg1 + '/site-packages')\n"
        self.assertEqual(self.told_by(add + "import installed_one.part"), [(False, [begin])])

    def test_tells_nothing_of_the_standard_library_and_of_modules_without_a_file(self):
        self.assertEqual(self.told_by("import xml.dom.minidom, wave, email.mime.text", "import types\nsys.modules['made_up'] = "
                                      "types.ModuleType('made_up')", "sys.modules['odd'] = 5"), [])

    def test_tells_what_a_deployed_function_imports(self):
        import archives
        path = self.write("used_by_function.py")
        source = "import sys\nsys.path.append(%r)\ndef f():\n  import used_by_function\n  return 1" % self.folder
        model = archives.Folder(self.folder).model(archives.function(source), "f", 1)
        self.worker.query(model, [])
        self.worker.evaluate("return 1")
        self.assertEqual(self.told(), [(True, [path])])


if __name__ == "__main__":
    unittest.main()
