// What a schema breaks of the one that clients were made for.
import { CriticalityLevel, DiffRule, diff } from '@graphql-inspector/core';

/** Breaking changes, each as a line of text. What was deprecated in `released` may be removed. */
export async function breaking(released, current) {
  const changes = await diff(released, current, [DiffRule.suppressRemovalOfDeprecatedField]);
  return changes
    .filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking)
    .map(({ message, path }) => `${path}: ${message}`);
}
