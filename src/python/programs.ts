// The Python sources, compiled into the executable as text. They are sent to each worker over its channel and
// imported from memory there (programs/start.py): no file is written.

import announcement from "./programs/announcement.py" with { type: "text" };
import boot from "./programs/boot.py" with { type: "text" };
import evaluation from "./programs/evaluation.py" with { type: "text" };
import failures from "./programs/failures.py" with { type: "text" };
import frames from "./programs/frames.py" with { type: "text" };
import keeper from "./programs/keeper.py" with { type: "text" };
import output from "./programs/output.py" with { type: "text" };
import results from "./programs/results.py" with { type: "text" };
import scripts from "./programs/scripts.py" with { type: "text" };
import start from "./programs/start.py" with { type: "text" };
import tabpy from "./programs/tabpy/__init__.py" with { type: "text" };
import tabpyTools from "./programs/tabpy/tabpy_tools/__init__.py" with { type: "text" };
import client from "./programs/tabpy/tabpy_tools/client.py" with { type: "text" };
import tabpyObject from "./programs/tabpy_object.py" with { type: "text" };
import worker from "./programs/worker.py" with { type: "text" };

/** The first program of a fresh interpreter; shorter than what spawn.ts lets it read. */
export const bootProgram = boot;

/** Module name -> source. */
export const workerSources: Readonly<Record<string, string>> = {
  _tabpy_worker: "",
  "_tabpy_worker.announcement": announcement,
  "_tabpy_worker.evaluation": evaluation,
  "_tabpy_worker.failures": failures,
  "_tabpy_worker.frames": frames,
  "_tabpy_worker.keeper": keeper,
  "_tabpy_worker.output": output,
  "_tabpy_worker.results": results,
  "_tabpy_worker.scripts": scripts,
  "_tabpy_worker.start": start,
  "_tabpy_worker.tabpy_object": tabpyObject,
  "_tabpy_worker.worker": worker,
  tabpy,
  "tabpy.tabpy_tools": tabpyTools,
  "tabpy.tabpy_tools.client": client,
};
