// The Python sources, compiled into the executable as text. They are sent to each worker over its channel and
// imported from memory there (programs/worker/start.py): no file is written.

import functionLog from "./worker/function_log.py" with { type: "text" };
import boot from "./worker/boot.py" with { type: "text" };
import requests from "./worker/requests.py" with { type: "text" };
import errors from "./worker/errors.py" with { type: "text" };
import frames from "./worker/frames.py" with { type: "text" };
import reaper from "./worker/reaper.py" with { type: "text" };
import freedMemory from "./worker/freed_memory.py" with { type: "text" };
import models from "./worker/models.py" with { type: "text" };
import scriptOutput from "./worker/script_output.py" with { type: "text" };
import anova from "./predeployed/anova.py" with { type: "text" };
import predeployedBoot from "./predeployed/boot.py" with { type: "text" };
import columns from "./predeployed/columns.py" with { type: "text" };
import deploy from "./predeployed/deploy.py" with { type: "text" };
import pca from "./predeployed/pca.py" with { type: "text" };
import sentimentAnalysis from "./predeployed/sentiment_analysis.py" with { type: "text" };
import ttest from "./predeployed/ttest.py" with { type: "text" };
import interpreterState from "./worker/interpreter_state.py" with { type: "text" };
import keptPools from "./worker/kept_pools.py" with { type: "text" };
import moduleFiles from "./worker/module_files.py" with { type: "text" };
import ownServer from "./worker/own_server.py" with { type: "text" };
import processLimits from "./worker/process_limits.py" with { type: "text" };
import processState from "./worker/process_state.py" with { type: "text" };
import queries from "./worker/queries.py" with { type: "text" };
import jsonWriter from "./worker/json_writer.py" with { type: "text" };
import scripts from "./worker/scripts.py" with { type: "text" };
import start from "./worker/start.py" with { type: "text" };
import tabpy from "./tabpy/__init__.py" with { type: "text" };
import tabpyTools from "./tabpy/tabpy_tools/__init__.py" with { type: "text" };
import archives from "./tabpy/tabpy_tools/archives.py" with { type: "text" };
import clientArguments from "./tabpy/tabpy_tools/arguments.py" with { type: "text" };
import client from "./tabpy/tabpy_tools/client.py" with { type: "text" };
import customQueryObject from "./tabpy/tabpy_tools/custom_query_object.py" with { type: "text" };
import deployment from "./tabpy/tabpy_tools/deployment.py" with { type: "text" };
import queryObject from "./tabpy/tabpy_tools/query_object.py" with { type: "text" };
import rest from "./tabpy/tabpy_tools/rest.py" with { type: "text" };
import schema from "./tabpy/tabpy_tools/schema.py" with { type: "text" };
import values from "./tabpy/tabpy_tools/values.py" with { type: "text" };
import watchedCalls from "./worker/watched_calls.py" with { type: "text" };
import tabpyObject from "./worker/tabpy_object.py" with { type: "text" };
import main from "./worker/main.py" with { type: "text" };

/** The first program of a fresh interpreter; shorter than the bytes that spawn.ts lets it read. */
export const bootProgram = boot;

/** The `tabpy` package, which archives refer to and scripts may import: module name -> source. */
const clientSources: Readonly<Record<string, string>> = {
  tabpy,
  "tabpy.tabpy_tools": tabpyTools,
  "tabpy.tabpy_tools.archives": archives,
  "tabpy.tabpy_tools.arguments": clientArguments,
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
  "_tabpy_worker.function_log": functionLog,
  "_tabpy_worker.requests": requests,
  "_tabpy_worker.errors": errors,
  "_tabpy_worker.frames": frames,
  "_tabpy_worker.reaper": reaper,
  "_tabpy_worker.freed_memory": freedMemory,
  "_tabpy_worker.models": models,
  "_tabpy_worker.script_output": scriptOutput,
  "_tabpy_worker.interpreter_state": interpreterState,
  "_tabpy_worker.kept_pools": keptPools,
  "_tabpy_worker.module_files": moduleFiles,
  "_tabpy_worker.own_server": ownServer,
  "_tabpy_worker.process_limits": processLimits,
  "_tabpy_worker.process_state": processState,
  "_tabpy_worker.queries": queries,
  "_tabpy_worker.json_writer": jsonWriter,
  "_tabpy_worker.scripts": scripts,
  "_tabpy_worker.start": start,
  "_tabpy_worker.watched_calls": watchedCalls,
  "_tabpy_worker.tabpy_object": tabpyObject,
  "_tabpy_worker.main": main,
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
