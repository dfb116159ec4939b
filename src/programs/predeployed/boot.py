# Deploys the predeployed functions of the TabPy server. Standard input has the sources and the job as JSON: no file
# is written, and no credentials appear in the process list.
import sys
if sys.path[:1] == [""]:  # -c puts the current folder first: nothing may be imported from there by accident
    del sys.path[0]
import importlib.abc, importlib.util, json

class Sources(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        if name in self.sources:
            return importlib.util.spec_from_loader(name, self, is_package=self.is_package(name))

    def is_package(self, name):
        return any(other.startswith(name + ".") for other in self.sources)

    def get_source(self, name):
        return self.sources[name]

given = json.loads(sys.stdin.buffer.read().decode("utf-8"))
sys.meta_path.insert(0, Sources(given["sources"]))  # first: this client, not another one that is installed
from _tabpy_predeployed.deploy import main
try:
    sys.exit(main(given["job"]))
except KeyboardInterrupt:
    sys.exit(130)
