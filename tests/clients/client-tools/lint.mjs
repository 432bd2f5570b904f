// graphql-eslint's verdict, less what is known and wanted.
import { ESLint } from 'eslint';

/** Faults that a rule's options cannot leave out one by one. */
const WANTED = [
  {
    // A membership has no id of its own: it is its gallery and its user.
    rule: '@graphql-eslint/relay-edge-types',
    fits: ({ line }) => line === 'type GalleryMemberEdge {',
  },
  {
    // Directives are those of the specification, in the library's words.
    rule: '@graphql-eslint/require-description',
    fits: ({ message }) => /in directive "(include|skip|specifiedBy)"$/.test(message),
  },
];

/** Faults of these files, each as a line of text; an exception that meets nothing any more is one as well. */
export async function lint(files, { isSchema = false } = {}) {
  const results = await new ESLint().lintFiles(files);
  const unused = new Set(isSchema ? WANTED : []);
  const faults = [];
  for (const { filePath, messages, source = '' } of results) {
    const lines = source.split('\n');
    for (const { ruleId, line, message } of messages) {
      const fault = { message, line: lines[line - 1] };
      const wanted = WANTED.find(({ rule, fits }) => rule === ruleId && fits(fault));
      if (wanted) unused.delete(wanted);
      else faults.push(`${filePath}:${line}: ${message} (${ruleId})`);
    }
  }
  for (const { rule, fits } of unused) faults.push(`${rule} has nothing against what this fits any more: ${fits}`);
  return faults;
}
