// Calls as Tableau Prep makes them: its helpers before the user's file, once for the output schema and once for the rows.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { startServer, type TestServer } from "../support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { TABPY_WORKERS: "1" } });
  await server.evaluate("import pandas"); // takes seconds the first time
}, 60_000);
afterAll(() => server.stop());

/** As Prep writes them, most of them indented with a tab. */
const helpers = `import pandas as pd
def get_output_schema():
\treturn '0a1b2c3d-no-schema'
def prep_string():
\treturn ['prep_string_type']
def prep_bool():
\treturn ['prep_bool_type']
def prep_int():
\treturn ['prep_int_type']
def prep_decimal():
    return ['prep_decimal_type']
def prep_date():
\treturn ['prep_date_type']
def prep_datetime():
\treturn ['prep_datetime_type']
`;
const file = `# cities by wealth
import os
import json
import pandas as pd


def helper(text):
    query = """first line {
    second line
  }
  """
    print(query)
    return text.title()

def get_output_schema():
    return pd.DataFrame({
        'City Name': prep_string(),
        'Profit %': prep_decimal(),
        'Opened': prep_date(),
        'Größe (m²)': prep_int()
    })


def rank(input):
    df = pd.DataFrame(data=[[helper(c), 1.5, '2026-01-31', 7] for c in input['city']],
                      columns=['City Name', 'Profit %', 'Opened', 'Größe (m²)'])
    return(df)
`;
const schemaCall = `def wanted_schema_0a1b(df = pd.DataFrame()):
    import inspect
    if len(inspect.getfullargspec(get_output_schema).args) == 0:
        return get_output_schema()
    else:
        return get_output_schema(df)
schema_out = wanted_schema_0a1b(pd.DataFrame(_arg1))
return schema_out.to_dict(orient='split') if isinstance(schema_out, pd.DataFrame) else schema_out
`;
const rowsCall = `
execution_result = rank(pd.DataFrame(_arg1))
return execution_result.to_dict(orient='list') if isinstance(execution_result, pd.DataFrame) else execution_result
`;

const types = { _arg1: { city: ["prep_string_type"] } };
const rows = { _arg1: { city: ["oslo", "córdoba", "東京", null] } };
const columns = ["City Name", "Profit %", "Opened", "Größe (m²)"];

async function resultOf(script: string, data: unknown): Promise<unknown> {
  const { json, status, text } = await server.evaluate(script, data);
  expect([status, status === 200 ? "" : text]).toEqual([200, ""]);
  return json;
}

test("the output schema of the user's file is returned", async () => {
  const schema = {
    index: [0],
    columns,
    data: [["prep_string_type", "prep_decimal_type", "prep_date_type", "prep_int_type"]],
  };
  expect(await resultOf(helpers + file + schemaCall, types)).toEqual(schema);
  expect(await resultOf((helpers + file + schemaCall).replaceAll("\n", "\r\n"), types)).toEqual(schema);
  expect(
    await Promise.all(Array.from({ length: 10 }, () => resultOf(helpers + file + schemaCall, types))),
  ).toEqual(Array(10).fill(schema));
});

test("without a schema of the user's own, Prep's marker is returned", async () => {
  const script = `${helpers}def rank(i):\n    return i\n${schemaCall}`;
  expect(await resultOf(script, types)).toBe("0a1b2c3d-no-schema");
});

test("a schema made from the input is returned, for each of Prep's types", async () => {
  const script = `${helpers}def get_output_schema(df):\n  df['extra']=prep_datetime()\n  return df\n${schemaCall}`;
  for (const type of ["string", "bool", "int", "decimal", "date", "datetime"])
    expect(await resultOf(script, { _arg1: { column: [`prep_${type}_type`] } })).toEqual({
      index: [0],
      columns: ["column", "extra"],
      data: [[`prep_${type}_type`, "prep_datetime_type"]],
    });
});

const forms: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  "with CRLF": (text) => text.replaceAll("\n", "\r\n"),
  "that begins with a byte order mark": (text) => `\ufeff${text}`,
  "with tabs": (text) => text.replaceAll("    ", "\t"),
  "with a future import": (text) => `from __future__ import annotations\n${text}`,
  "with a docstring and a future import": (text) =>
    `"""What it does."""\nfrom __future__ import annotations\n${text}`,
  "with a coding line": (text) => `#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n${text}`,
};

test.each(Object.keys(forms))("the rows of a file %s are returned", async (form) => {
  const script = `import pandas as pd\n${forms[form]?.(file)}${rowsCall}`;
  expect(await resultOf(script, { _arg1: { city: ["oslo", "córdoba", "東京"] } })).toEqual({
    "City Name": ["Oslo", "Córdoba", "東京"],
    "Profit %": [1.5, 1.5, 1.5],
    Opened: ["2026-01-31", "2026-01-31", "2026-01-31"],
    "Größe (m²)": [7, 7, 7],
  });
});

test("annotations after a future import are not evaluated", async () => {
  const script = `${helpers}from __future__ import annotations
def rank(df: Nowhere) -> pd.DataFrame:
    return df
${rowsCall}`;
  expect(await resultOf(script, rows)).toEqual({ city: ["oslo", "córdoba", "東京", null] });
});

test("no rows give columns without rows", async () => {
  const script = `import pandas as pd\n${file}${rowsCall}`;
  expect(await resultOf(script, { _arg1: { city: [] } })).toEqual(
    Object.fromEntries(columns.map((name) => [name, []])),
  );
  const empty = `import pandas as pd\ndef rank(i):\n    return i.iloc[0:0]\n${rowsCall}`;
  expect(await resultOf(empty, rows)).toEqual({ city: [] });
});
