// The calls of several parts of the benchmark, each with the answer that must come back.

import type { Call } from "./load.ts";

export function evaluate(data: Record<string, unknown>, script: string, wanted: string): Call {
  return { body: JSON.stringify({ script, data }), wanted };
}

export const small = evaluate({ _arg1: [1, 2, 3] }, "return [x + 1 for x in _arg1]", "[2, 3, 4]");

/** Two columns of 1,000,000 numbers, and their sums. */
export function createMillionRows(): Call {
  const first = Array.from({ length: 1_000_000 }, (_, at) => at + 0.25);
  const second = first.map((x) => x * 2);
  const wanted = JSON.stringify(first.map((x) => x * 3));
  return evaluate({ _arg1: first, _arg2: second }, "return [a + b for a, b in zip(_arg1, _arg2)]", wanted);
}

/** Calls the function `add`, which deployFunctions() in deployed.ts deploys. */
export const query: Call = {
  path: "/query/add",
  body: '{"data": [1, 2]}',
  wanted: '{"response": 3, "version": 1, "model": "add", "uuid": ',
  isPrefix: true,
};

/** The same function, called by a script. */
export const queryInScript = evaluate(
  { _arg1: 1, _arg2: 2 },
  "return tabpy.query('add', _arg1, _arg2)['response']",
  "3",
);
