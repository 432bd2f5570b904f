// The audits of GraphQL over HTTP: node audit.mjs URL. The exit code is 1 when one of them fails.
import { auditServer } from 'graphql-http';

const url = process.argv[2];
const results = await auditServer({ url, fetchFn: fetch });
for (const { status, id, name, reason } of results) {
  if (status !== 'ok') console.log(`FAILED ${id} ${name}: ${reason} (${status})`);
}
const passed = results.filter(({ status }) => status === 'ok').length;
console.log(`${passed} of ${results.length} checks passed`);
process.exit(passed === results.length && passed >= 61 ? 0 : 1);
