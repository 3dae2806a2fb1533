/**
 * Calls of the library from Python's tests: `node ask.mjs LIBRARY.mjs`, JSON lines in and out.
 *
 * A line is {"call": name, as "decide" or "scopes.count", "prior": a prior file or none, "args": [...]}. Rows of more than three
 * numbers become arrays of float64.
 */

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const library = await import(pathToFileURL(process.argv[2]));

const arrays = (value) => {
  if (Array.isArray(value) && value.length > 3 && value.every((one) => typeof one === "number"))
    return Float64Array.from(value);
  if (value && typeof value === "object" && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, arrays(one)]));
  return value;
};

const plain = (value) => {
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
  return value;
};

for await (const line of createInterface({ input: process.stdin })) {
  const { call, prior, args } = JSON.parse(line);
  const known = prior ? [library.Prior.of(prior)] : [];
  const called = call.split(".").reduce((from, name) => from[name], library);
  console.log(JSON.stringify(plain(called(...known, ...args.map(arrays))) ?? null));
}
