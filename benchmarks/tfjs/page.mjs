// TensorFlow.js in a page as an engine of the benchmarks; benchmarks/chromium_engine.py opens the page and calls
// `answer`. The page's address says the backend and the way of reading: ?backend=webgl&reading=sync|async.

import { commandsOf } from "./commands.mjs";

async function read(path) {
  const response = await fetch(`/files${path}`);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.arrayBuffer();
}

async function start() {
  const options = new URLSearchParams(location.search);
  const isAsync = options.get("reading") === "async";
  if (!(await tf.setBackend(options.get("backend")))) throw new Error("the backend could not be initialised");
  await tf.ready();
  const commands = commandsOf(tf, read, isAsync);
  const about = () => ({
    name: `${commands.about().name}, ${isAsync ? "data()" : "dataSync()"}`,
    renderer: renderer(),
    isIsolated: crossOriginIsolated,
  });
  return { ...commands, about };
}

function renderer() {
  const gl = new OffscreenCanvas(1, 1).getContext("webgl2");
  return gl.getParameter(gl.getExtension("WEBGL_debug_renderer_info").UNMASKED_RENDERER_WEBGL);
}

const started = start();
globalThis.answer = async ({ command, ...argument }) => (await started)[command](argument);
