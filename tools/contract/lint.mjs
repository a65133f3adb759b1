// Lints the merged document with Redocly's rules; a warning is a fault, too.
// The engine is used without its command line, which would bring 200 MB of other commands.
// usage: node lint.mjs DOCUMENT
import { formatProblems, getTotals, lint, loadConfig } from "@redocly/openapi-core";
import { fileURLToPath } from "node:url";

const [, , document] = process.argv;
const configPath = fileURLToPath(new URL("redocly.yaml", import.meta.url));
const problems = await lint({ ref: document, config: await loadConfig({ configPath }) });
if (problems.length > 0) {
  formatProblems(problems, { format: "stylish", totals: getTotals(problems), version: "" });
  process.exitCode = 1;
}
