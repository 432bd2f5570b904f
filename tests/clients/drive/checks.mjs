/** Runs named checks one after another, up to the first that fails: what follows stands on it. Whether all
    passed. `failed` is called at a failure, for a look at how things stand then. */
export async function runChecks(checks, failed = async () => {}) {
  let passed = 0;
  for (const [what, check] of Object.entries(checks)) {
    try {
      await check();
      passed++;
    } catch (error) {
      console.log(`FAILED ${what}: ${error.stack}`);
      await failed();
      break;
    }
  }
  const count = Object.keys(checks).length;
  console.log(`${passed} of ${count} checks passed`);
  return passed === count;
}
