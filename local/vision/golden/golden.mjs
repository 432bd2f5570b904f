// Runs the four networks with TensorFlow.js (its plain JavaScript backend) and face-api's own code
// on face-api's sample photos and prints what they answer, as the oracle for tests/golden.rs.
//
// The networks and their decoding are the packages'; only what prepares their input is written
// here, since face-api and human leave that to the browser's canvas: a triangle filter that is
// widened when it shrinks (what Pillow and TensorFlow call antialiased bilinear).
import fs from 'node:fs';
import { createRequire } from 'node:module';
import jpeg from 'jpeg-js';

const require = createRequire(import.meta.url);
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');
const tf = faceapi.tf;
const folder = (name) => new URL(`./node_modules/@vladmandic/${name}/`, import.meta.url).pathname;

/** Weights of one output pixel along one axis. */
function taps(from, to, index) {
  const scale = from / to;
  const support = Math.max(1, scale);
  const centre = (index + 0.5) * scale;
  const found = [];
  for (let i = Math.max(0, Math.floor(centre - support)); i < Math.min(from, Math.ceil(centre + support)); i++) {
    const weight = 1 - Math.abs(i + 0.5 - centre) / support;
    if (weight > 0) found.push([i, weight]);
  }
  const sum = found.reduce((all, [, weight]) => all + weight, 0);
  return found.map(([i, weight]) => [i, weight / sum]);
}

function resize({ data, width, height }, toWidth, toHeight) {
  const rows = new Float32Array(toWidth * height * 3);
  for (let x = 0; x < toWidth; x++) {
    for (const [i, weight] of taps(width, toWidth, x)) {
      for (let y = 0; y < height; y++) {
        for (let c = 0; c < 3; c++) rows[(y * toWidth + x) * 3 + c] += weight * data[(y * width + i) * 3 + c];
      }
    }
  }
  const out = new Float32Array(toWidth * toHeight * 3);
  for (let y = 0; y < toHeight; y++) {
    for (const [i, weight] of taps(height, toHeight, y)) {
      for (let x = 0; x < toWidth * 3; x++) out[y * toWidth * 3 + x] += weight * rows[i * toWidth * 3 + x];
    }
  }
  return { data: out.map(Math.round), width: toWidth, height: toHeight };
}

function crop({ data, width }, x, y, w, h) {
  const out = new Float32Array(w * h * 3);
  for (let row = 0; row < h; row++) {
    const start = ((y + row) * width + x) * 3;
    out.set(data.subarray(start, start + w * 3), row * w * 3);
  }
  return { data: out, width: w, height: h };
}

/** Pads with black to a square, and answers its tensor. */
function square({ data, width, height }, left, top, size) {
  const out = new Float32Array(size * size * 3);
  for (let y = 0; y < height; y++) out.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((y + top) * size + left) * 3);
  return tf.tensor3d(out, [size, size, 3]);
}

/** The image at its largest in a square of `size` pixels, in the middle or at the top left. */
function fit(image, size, centred) {
  const scale = size / Math.max(image.width, image.height);
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  const left = centred ? Math.floor((size - width) / 2) : 0;
  const top = centred ? Math.floor((size - height) / 2) : 0;
  return { tensor: square(resize(image, width, height), left, top, size), left, top, width, height };
}

async function faces(image) {
  const { tensor, width, height } = fit(image, 512, false);
  const found = await faceapi.nets.ssdMobilenetv1.locateFaces(tensor, { minConfidence: 0.4 });
  const answers = [];
  for (const face of found) {
    const { x, y, width: w, height: h } = face.relativeBox;
    const box = [(x * 512) / width, (y * 512) / height, (w * 512) / width, (h * 512) / height];
    const left = Math.max(0, Math.floor(box[0] * image.width));
    const top = Math.max(0, Math.floor(box[1] * image.height));
    const right = Math.min(image.width, Math.floor((box[0] + box[2]) * image.width));
    const bottom = Math.min(image.height, Math.floor((box[1] + box[3]) * image.height));
    const part = crop(image, left, top, right - left, bottom - top);
    const chip = fit(part, 112, true);
    const output = await faceapi.nets.faceLandmark68Net.forward(chip.tensor);
    const values = output.dataSync();
    const landmarks = [];
    for (let i = 0; i < 68; i++) {
      landmarks.push([
        (left + ((values[2 * i] * 112 - chip.left) / chip.width) * part.width) / image.width,
        (top + ((values[2 * i + 1] * 112 - chip.top) / chip.height) * part.height) / image.height,
      ]);
    }
    // A plain square around the face, so that the test can cut the very same pixels.
    const size = Math.min(Math.round((right - left) * 1.1), image.width, image.height);
    const chipX = Math.min(Math.max(0, Math.round((left + right - size) / 2)), image.width - size);
    const chipY = Math.min(Math.max(0, Math.round((top + bottom - size) / 2)), image.height - size);
    const descriptor = await faceapi.nets.faceRecognitionNet.computeFaceDescriptor(
      square(resize(crop(image, chipX, chipY, size, size), 150, 150), 0, 0, 150),
    );
    answers.push({ score: face.score, box, landmarks, chip: [chipX, chipY, size], descriptor: Array.from(descriptor) });
  }
  return answers;
}

function objects(model, labels, image) {
  const input = square(resize(image, 512, 512), 0, 0, 512).expandDims(0);
  const [rows] = model.execute(input, ['tower_0/detections']).arraySync();
  return rows
    .filter((row) => row[4] >= 0.25)
    .map(([x1, y1, x2, y2, score, label]) => ({ class: labels[label], score, corners: [x1, y1, x2, y2].map((v) => v / 512) }));
}

const round = (_key, value) => (typeof value === 'number' ? Number(value.toFixed(5)) : value);

await tf.setBackend('cpu');
await tf.ready();
for (const net of ['ssdMobilenetv1', 'faceLandmark68Net', 'faceRecognitionNet']) {
  await faceapi.nets[net].loadFromDisk(`${folder('face-api')}model`);
}
const graph = JSON.parse(fs.readFileSync(`${folder('human')}models/centernet.json`));
const weights = fs.readFileSync(`${folder('human')}models/centernet.bin`);
const model = await tf.loadGraphModel(tf.io.fromMemory({
  modelTopology: graph.modelTopology,
  signature: graph.signature,
  weightSpecs: graph.weightsManifest[0].weights,
  weightData: weights.buffer.slice(weights.byteOffset, weights.byteOffset + weights.length),
}));
const source = fs.readFileSync(`${folder('human')}src/object/labels.ts`, 'utf8');
const labels = Array.from(source.matchAll(/label: '([^']+)'/g), (match) => match[1]);

const answers = [];
for (let i = 1; i <= 6; i++) {
  const name = `sample${i}.jpg`;
  const { data, width, height } = jpeg.decode(fs.readFileSync(`${folder('face-api')}demo/${name}`), { useTArray: true, formatAsRGBA: false });
  const image = { data, width, height };
  answers.push({ name, faces: await faces(image), objects: objects(model, labels, image) });
  console.error(name, answers.at(-1).faces.length, 'faces', answers.at(-1).objects.map((o) => `${o.class} ${o.score.toFixed(2)}`).join(', '));
}
console.log(`[\n${answers.map((answer) => JSON.stringify(answer, round)).join(',\n')}\n]`);
