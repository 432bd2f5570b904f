// Custom resources against the schemas of their operators.
//
//   node crds.mjs DOCUMENTS.json
//
// @kubernetes-models makes both validators and TypeScript types from the operators' sources. The validators know
// patterns and required fields but let unknown fields pass; the types refuse those. So each document goes through both.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const MODULES = {
  "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
  "argoproj.io/v1alpha1": "@kubernetes-models/argo-cd/argoproj.io/v1alpha1",
};
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");

async function invalid(document) {
  const module = MODULES[document.apiVersion];
  if (!module) return `no schema of ${document.apiVersion}`;
  const Model = (await import(module))[document.kind];
  if (!Model) return `no schema of ${document.kind}`;
  try {
    new Model(document).validate();
    return null;
  } catch (error) {
    return error.message;
  }
}

// Literals, because TypeScript looks for unknown fields in those only.
function untyped(documents) {
  const lines = documents.map(
    (d, i) =>
      `const d${i}: import(${JSON.stringify(MODULES[d.apiVersion])}).I${d.kind} = ${JSON.stringify(d)}; void d${i};`,
  );
  writeFileSync("documents.ts", lines.join("\n"));
  const flags = ["--noEmit", "--skipLibCheck", "--strict", "--module", "nodenext", "--target", "es2022"];
  try {
    execFileSync(process.execPath, [compiler, ...flags, "documents.ts"], { encoding: "utf8" });
    return null;
  } catch (error) {
    return error.stdout;
  }
}

const documents = JSON.parse(readFileSync(process.argv[2], "utf8"));
let passed = 0;
let total = 0;
function check(what, fault) {
  total += 1;
  if (fault === null) passed += 1;
  console.log(`${fault === null ? "ok    " : "FAILED"} ${what}${fault === null ? "" : `\n${fault}`}`);
}

check("there are custom resources", documents.length >= 3 ? null : `${documents.length}`);
for (const document of documents) {
  check(`${document.kind}/${document.metadata.name} is valid`, await invalid(document));
}
check("no custom resource has an unknown field", untyped(documents));
// What must not pass, so that the checks above say something.
for (const document of documents) {
  const { spec: _, ...without } = document;
  check(`${document.kind} without a spec is found`, (await invalid(without)) ? null : "it was not");
  const odd = { ...document, spec: { ...document.spec, unknownField: 1 } };
  check(`${document.kind} with an unknown field is found`, untyped([odd])?.includes("unknownField") ? null : "it was not");
}
console.log(`${passed} of ${total} checks passed`);
process.exit(passed === total ? 0 : 1);
