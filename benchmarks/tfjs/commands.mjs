// What TensorFlow.js as an engine of the benchmarks answers, in Node.js and in a page alike: the commands of
// benchmarks/engines.py.

// `read(path)` gives the bytes of a file; `isAsync` says whether outputs are awaited by data() or taken by dataSync().
export function commandsOf(tf, read, isAsync = false) {
  let model, values, inputShape, outputs, operand, factors;

  const readAll = (tensors) =>
    isAsync ? Promise.all(tensors.map((tensor) => tensor.data())) : tensors.map((tensor) => tensor.dataSync());

  const commands = {
    about: () => ({ name: `TensorFlow.js ${tf.version.tfjs} ${tf.getBackend()}` }),

    async load({ path, input, shape }) {
      model?.dispose();
      model = await tf.loadGraphModel({ load: () => readArtifacts(read, path) });
      values = new Float32Array(await read(input));
      inputShape = shape;
      return {};
    },

    // One inference from values in memory to values in memory.
    async run() {
      const start = performance.now();
      const picture = tf.tensor(values, inputShape, "float32");
      const results = model.predict(picture);
      const tensors = results instanceof tf.Tensor ? [results] : Object.values(results);
      const reading = readAll(tensors);
      outputs = isAsync ? await reading : reading;
      const milliseconds = performance.now() - start;
      tf.dispose([picture, tensors]);
      return { milliseconds };
    },

    outputs: () => ({ values: outputs.map((values) => Array.from(values)) }),

    // `count` additions on 8x8, each of the one before, on the backend: until they are issued, and until the result is
    // read. Two of them before are not timed, so that nothing has to be compiled or uploaded.
    async chain({ count }) {
      tf.env().set("WEBGL_CPU_FORWARD", false);
      const [first, step] = [0, 1].map((value) => tf.tensor(new Float32Array(64).fill(value), [8, 8]));
      const add = (times) =>
        tf.tidy(() => {
          let sum = first;
          for (let i = 0; i < times; i++) sum = tf.add(sum, step);
          return sum;
        });
      tf.dispose(await readAndReturn(add(2)));
      const start = performance.now();
      const sum = add(count);
      const issued = performance.now() - start;
      const reading = readAll([sum]);
      const [result] = isAsync ? await reading : reading;
      const total = performance.now() - start;
      tf.dispose([first, step, sum]);
      return { issued, total, result: result[0] };
    },

    // exp(relu(x * factor + offset)) over the values of a file, op by op, from a tensor until the result is read.
    async expression({ input, factor, offset }) {
      operand ??= tf.tensor(new Float32Array(await read(input)));
      const start = performance.now();
      const result = tf.tidy(() => tf.exp(tf.relu(tf.add(tf.mul(operand, factor), offset))));
      outputs = await readAll([result]);
      const milliseconds = performance.now() - start;
      result.dispose();
      return { milliseconds };
    },

    // The product of two square matrices, which are in a file one behind the other, until it is read.
    async product({ input, size }) {
      factors ??= tf.unstack(tf.tensor(new Float32Array(await read(input)), [2, size, size]));
      const start = performance.now();
      const result = tf.matMul(...factors);
      outputs = await readAll([result]);
      const milliseconds = performance.now() - start;
      result.dispose();
      return { milliseconds };
    },

    // The draws of one command, which is slower than without counting.
    draws: async ({ of, ...argument }) => ({ draws: await countDraws(() => commands[of](argument)) }),
  };

  async function readAndReturn(tensor) {
    await readAll([tensor]);
    return tensor;
  }

  return commands;
}

async function readArtifacts(read, path) {
  const json = JSON.parse(new TextDecoder().decode(await read(path)));
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const shards = json.weightsManifest.flatMap((group) => group.paths);
  const buffers = await Promise.all(shards.map((shard) => read(folder + shard)));
  const weightData = await new Blob(buffers).arrayBuffer();
  const weightSpecs = json.weightsManifest.flatMap((group) => group.weights);
  return { ...json, weightSpecs, weightData };
}

async function countDraws(action) {
  const prototype = WebGL2RenderingContext.prototype;
  const originals = { drawArrays: prototype.drawArrays, drawElements: prototype.drawElements };
  let draws = 0;
  for (const [name, draw] of Object.entries(originals)) {
    prototype[name] = function (...argument) {
      draws++;
      return draw.apply(this, argument);
    };
  }
  try {
    await action();
  } finally {
    Object.assign(prototype, originals);
  }
  return draws;
}
