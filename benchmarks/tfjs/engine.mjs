// TensorFlow.js as an engine of the benchmarks: the protocol of benchmarks/engines.py, one JSON object a line on
// stdin and stdout. `node engine.mjs cpu|wasm`.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";

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

let model, values, inputShape, outputs;

const commands = {
  about: () => ({
    name: `TensorFlow.js ${tf.version.tfjs} ${tf.getBackend()}`,
    runtime: `Node.js ${process.versions.node}`,
    threads: backend === "wasm" ? require("@tensorflow/tfjs-backend-wasm").getThreadsCount() : 1,
    cores: availableParallelism(),
  }),

  async load({ path, input, shape }) {
    model?.dispose();
    model = await tf.loadGraphModel({ load: () => readArtifacts(path) });
    const bytes = await readFile(input);
    values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    inputShape = shape;
    return {};
  },

  // One inference from values in memory to values in memory.
  run() {
    const start = performance.now();
    const picture = tf.tensor(values, inputShape, "float32");
    const results = model.predict(picture);
    const tensors = results instanceof tf.Tensor ? [results] : Object.values(results);
    outputs = tensors.map((tensor) => tensor.dataSync());
    const milliseconds = performance.now() - start;
    tf.dispose([picture, tensors]);
    return { milliseconds };
  },

  outputs: () => ({ values: outputs.map((values) => Array.from(values)) }),
};

async function readArtifacts(path) {
  const json = JSON.parse(await readFile(path, "utf8"));
  const shards = json.weightsManifest.flatMap((group) => group.paths);
  const buffers = await Promise.all(shards.map((shard) => readFile(join(dirname(path), shard))));
  const weightData = new Uint8Array(Buffer.concat(buffers)).buffer;
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  return { ...json, weightSpecs, weightData };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...argument } = JSON.parse(line);
  let answer;
  try {
    answer = await commands[command](argument);
  } catch (error) {
    answer = { error: String(error.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
