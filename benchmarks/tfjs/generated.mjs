// A plan of Tenfold's wasm backend, exported by benchmarks/wasm_v8.py, as an engine of the benchmarks in Node.js: the
// protocol of benchmarks/engines.py. `node --experimental-wasm-relaxed-simd generated.mjs FOLDER`.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

const folder = process.argv[2];
let memory, run, plan, values, outputs;

const commands = {
  about: () => ({ name: "Tenfold's modules in V8", runtime: `Node.js ${process.versions.node}`, threads: 1 }),

  async load({ input }) {
    plan = JSON.parse(await readFile(join(folder, "plan.json"), "utf8"));
    memory = new WebAssembly.Memory({ initial: plan.pages });
    const constants = await readFile(join(folder, "constants.bin"));
    new Uint8Array(memory.buffer, plan.constants, constants.length).set(constants);
    const code = await readFile(join(folder, "plan.wasm"));
    const { instance } = await WebAssembly.instantiate(code, { env: { memory } });
    run = instance.exports.run;
    instance.exports.prepare(...plan.arguments.slice(0, 6));
    const bytes = await readFile(input);
    values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    return {};
  },

  run() {
    const start = performance.now();
    new Float32Array(memory.buffer, plan.input, values.length).set(values);
    run(...plan.arguments);
    outputs = plan.outputs.map(([address, length]) => new Float32Array(memory.buffer, address, length).slice());
    return { milliseconds: performance.now() - start };
  },

  outputs: () => ({ values: outputs.map((values) => Array.from(values)) }),
};

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
