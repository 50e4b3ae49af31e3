// node lint.mjs CONFIG DOCUMENT: one line for each problem; 1 where there are any.
import { lint, loadConfig } from '@redocly/openapi-core';

const [configPath, ref] = process.argv.slice(2);
const config = await loadConfig({ configPath });
const problems = (await lint({ ref, config })).filter((problem) => !problem.ignored);
for (const { severity, ruleId, location, message } of problems) {
  console.log(`${severity} ${ruleId} ${location[0].pointer ?? ''}: ${message}`);
}
process.exitCode = problems.length ? 1 : 0;
