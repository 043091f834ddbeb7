// TensorFlow.js in Node.js as an engine of the benchmarks: the protocol of benchmarks/engines.py, one JSON object a
// line on stdin and stdout. `node engine.mjs cpu|wasm`.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

import { commandsOf } from "./commands.mjs";

const require = createRequire(import.meta.url);
// What the library prints must not get between the answers.
console.log = console.info = console.warn = console.error;

const tf = require("@tensorflow/tfjs");
const backend = process.argv[2];
if (backend === "wasm") {
  const wasm = require("@tensorflow/tfjs-backend-wasm");
  wasm.setWasmPaths(join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm")), "/"));
}
await tf.setBackend(backend);
await tf.ready();

async function read(path) {
  const bytes = await readFile(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
}

const commands = commandsOf(tf, read);
const about = () => ({
  ...commands.about(),
  runtime: `Node.js ${process.versions.node}`,
  threads: backend === "wasm" ? require("@tensorflow/tfjs-backend-wasm").getThreadsCount() : 1,
});

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...argument } = JSON.parse(line);
  let answer;
  try {
    answer = await { ...commands, about }[command](argument);
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
