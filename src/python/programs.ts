// The Python sources, compiled into the executable as text. They are sent to each worker over its channel and
// imported from memory there (programs/start.py): no file is written.

import announcement from "./programs/announcement.py" with { type: "text" };
import boot from "./programs/boot.py" with { type: "text" };
import evaluation from "./programs/evaluation.py" with { type: "text" };
import failures from "./programs/failures.py" with { type: "text" };
import frames from "./programs/frames.py" with { type: "text" };
import keeper from "./programs/keeper.py" with { type: "text" };
import keptMemory from "./programs/kept_memory.py" with { type: "text" };
import models from "./programs/models.py" with { type: "text" };
import output from "./programs/output.py" with { type: "text" };
import anova from "./programs/predeployed/anova.py" with { type: "text" };
import predeployedBoot from "./programs/predeployed/boot.py" with { type: "text" };
import columns from "./programs/predeployed/columns.py" with { type: "text" };
import deploy from "./programs/predeployed/deploy.py" with { type: "text" };
import pca from "./programs/predeployed/pca.py" with { type: "text" };
import sentimentAnalysis from "./programs/predeployed/sentiment_analysis.py" with { type: "text" };
import ttest from "./programs/predeployed/ttest.py" with { type: "text" };
import queries from "./programs/queries.py" with { type: "text" };
import results from "./programs/results.py" with { type: "text" };
import scripts from "./programs/scripts.py" with { type: "text" };
import start from "./programs/start.py" with { type: "text" };
import tabpy from "./programs/tabpy/__init__.py" with { type: "text" };
import tabpyTools from "./programs/tabpy/tabpy_tools/__init__.py" with { type: "text" };
import archives from "./programs/tabpy/tabpy_tools/archives.py" with { type: "text" };
import client from "./programs/tabpy/tabpy_tools/client.py" with { type: "text" };
import customQueryObject from "./programs/tabpy/tabpy_tools/custom_query_object.py" with { type: "text" };
import deployment from "./programs/tabpy/tabpy_tools/deployment.py" with { type: "text" };
import queryObject from "./programs/tabpy/tabpy_tools/query_object.py" with { type: "text" };
import rest from "./programs/tabpy/tabpy_tools/rest.py" with { type: "text" };
import schema from "./programs/tabpy/tabpy_tools/schema.py" with { type: "text" };
import values from "./programs/tabpy/tabpy_tools/values.py" with { type: "text" };
import tabpyObject from "./programs/tabpy_object.py" with { type: "text" };
import worker from "./programs/worker.py" with { type: "text" };

/** The first program of a fresh interpreter; shorter than what spawn.ts lets it read. */
export const bootProgram = boot;

/** The `tabpy` package, which deployed functions name and scripts may import: module name -> source. */
export const clientSources: Readonly<Record<string, string>> = {
  tabpy,
  "tabpy.tabpy_tools": tabpyTools,
  "tabpy.tabpy_tools.archives": archives,
  "tabpy.tabpy_tools.client": client,
  "tabpy.tabpy_tools.custom_query_object": customQueryObject,
  "tabpy.tabpy_tools.deployment": deployment,
  "tabpy.tabpy_tools.query_object": queryObject,
  "tabpy.tabpy_tools.rest": rest,
  "tabpy.tabpy_tools.schema": schema,
  "tabpy.tabpy_tools.values": values,
};

/** Module name -> source. */
export const workerSources: Readonly<Record<string, string>> = {
  _tabpy_worker: "",
  "_tabpy_worker.announcement": announcement,
  "_tabpy_worker.evaluation": evaluation,
  "_tabpy_worker.failures": failures,
  "_tabpy_worker.frames": frames,
  "_tabpy_worker.keeper": keeper,
  "_tabpy_worker.kept_memory": keptMemory,
  "_tabpy_worker.models": models,
  "_tabpy_worker.output": output,
  "_tabpy_worker.queries": queries,
  "_tabpy_worker.results": results,
  "_tabpy_worker.scripts": scripts,
  "_tabpy_worker.start": start,
  "_tabpy_worker.tabpy_object": tabpyObject,
  "_tabpy_worker.worker": worker,
  ...clientSources,
};

/** The program that deploys the predeployed functions; it reads its sources and its job from standard input. */
export const predeployedProgram = predeployedBoot;

/** Module name -> source. */
export const predeployedSources: Readonly<Record<string, string>> = {
  _tabpy_predeployed: "",
  "_tabpy_predeployed.anova": anova,
  "_tabpy_predeployed.columns": columns,
  "_tabpy_predeployed.deploy": deploy,
  "_tabpy_predeployed.pca": pca,
  "_tabpy_predeployed.sentiment_analysis": sentimentAnalysis,
  "_tabpy_predeployed.ttest": ttest,
  ...clientSources,
};
