// The schema as tools of client developers see it: node check.mjs, in a folder with schema.graphql, the example clients
// in examples/ and GraphiQL's operations in graphiql/. The exit code is 1 when one of the checks fails.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import {
  buildSchema,
  isEnumType,
  isInputObjectType,
  isScalarType,
  isSpecifiedScalarType,
  printSchema,
  printType,
} from 'graphql';
import { breaking } from './compare.mjs';
import { lint } from './lint.mjs';

/** Runs a program of the packages; what it printed. */
function run(program, args, cwd = '.') {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout + stderr;
}

const bin = (name) => `node_modules/.bin/${name}`;
const sdl = await readFile('schema.graphql', 'utf8');
const schema = buildSchema(sdl);

const checks = {
  async 'relay-compiler compiles fragments, pages, mutations and a subscription without a warning'() {
    const output = run(bin('relay-compiler'), ['relay.config.json']);
    assert.doesNotMatch(output, /warn/i);
    const made = await readdir('relay/__generated__');
    for (const name of ['GalleryScreen_photos', 'GalleryScreenPhotosQuery', 'PhotoTileRefetchQuery', 'PhotoTileDeleteMutation']) {
      assert(made.includes(`${name}.graphql.ts`), `${name} is missing: ${made}`);
    }
  },

  async 'graphql-codegen makes typed documents, and the example clients compile against them'() {
    run('npm', ['run', 'generate'], 'examples');
    run('npm', ['run', 'check'], 'examples');
  },

  async 'graphql-codegen makes Kotlin types of every enum and input'() {
    const types = Object.values(schema.getTypeMap()).filter(({ name }) => !name.startsWith('__'));
    // Nothing else: of arguments, which only servers want, it makes what does not compile (a default `0.0` becomes `0`).
    const isSent = (type) =>
      isEnumType(type) || isInputObjectType(type) || (isScalarType(type) && !isSpecifiedScalarType(type));
    const sent = ['type Query { nothing: Boolean }', ...types.filter(isSent).map(printType)];
    await writeFile('inputs.graphql', sent.join('\n\n'));
    run(bin('graphql-codegen'), ['--config', 'codegen.kotlin.json']);
    const kotlin = await readFile('kotlin/Types.kt', 'utf8');
    for (const { name } of types.filter(isEnumType)) assert(kotlin.includes(`enum class ${name}(`), name);
    for (const { name } of types.filter(isInputObjectType)) {
      // The generator's own name where ours does not say that it is an input.
      assert(kotlin.includes(`data class ${name.replace(/(Input)?$/, 'Input')}(`), name);
    }
  },

  async 'graphql-eslint has nothing against the schema'() {
    assert.deepEqual(await lint(['schema.graphql'], { isSchema: true }), []);
  },

  async 'nor against the operations of the examples and of GraphiQL'() {
    assert.deepEqual(await lint(['examples/*/*.graphql', 'graphiql/*.graphql']), []);
  },

  async 'nothing is broken of the released schema'() {
    const released = buildSchema(await readFile('released.graphql', 'utf8'));
    const changes = await breaking(released, schema);
    if (changes.length > 0) assert.fail(`breaking changes since the release:\n${changes.join('\n')}`);
  },

  async 'and it would be told if something were'() {
    const fewer = printSchema(schema).replace(/ {2}"""[^"]*"""\n {2}thumbhash: String\n/, '');
    assert.deepEqual(await breaking(schema, buildSchema(fewer)), [
      "Photo.thumbhash: Field 'thumbhash' was removed from object type 'Photo'",
    ]);
  },
};

let passed = 0;
for (const [what, check] of Object.entries(checks)) {
  try {
    await check();
    passed++;
  } catch (error) {
    console.log(`FAILED ${what}: ${error.message}`);
  }
}
const count = Object.keys(checks).length;
console.log(`${passed} of ${count} checks passed`);
process.exit(passed === count ? 0 : 1);
