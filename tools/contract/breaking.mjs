// Fails when docs/openapi.yaml breaks what clients rely on: api/baseline/openapi.yaml, which has to be
// the contract of the last release where this clone has its tag. A break passes that
// api/baseline/accepted.json names: {"GET /path: what oasdiff says": "why that is right"}.
// usage: node breaking.mjs REPOSITORY OASDIFF
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";

const current = "docs/openapi.yaml";
const baseline = "api/baseline/openapi.yaml";
const accepted = "api/baseline/accepted.json";
const refresh = "make baseline";

const [, , root, oasdiff] = process.argv;
const faults = [...untrueBaseline(), ...judge(breaks(), acceptedBreaks())];
for (const fault of faults) console.error(`contract: ${fault}`);
process.exitCode = faults.length > 0 ? 1 : 0;

/** Holds the baseline to the last release. */
function untrueBaseline() {
  const described = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*");
  if (described.status !== 0) {
    console.log(`contract: no release tag in this clone; compared with ${baseline} as it is`);
    return [];
  }
  const tag = described.stdout.trim();
  console.log(`contract: compared with ${tag}`);
  const released = git("show", `${tag}:${current}`);
  if (released.status !== 0) return []; // released before the document was kept
  if (released.stdout === read(baseline)) return [];
  return [`${baseline} is not what ${tag} has in ${current}: run \`${refresh}\` and commit it`];
}

function git(...args) {
  const owned = ["-C", root, "-c", `safe.directory=${resolve(root)}`]; // CI's clone may be another's
  return spawnSync("git", [...owned, ...args], { encoding: "utf8", maxBuffer: 64 << 20 });
}

function breaks() {
  const args = ["breaking", "--format", "json", baseline, current];
  const out = execFileSync(oasdiff, args, { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 });
  return (JSON.parse(out) ?? []).map((c) => `${c.operation ?? ""} ${c.path ?? ""}: ${c.text}`.trim());
}

function acceptedBreaks() {
  return Object.entries(JSON.parse(read(accepted)));
}

function judge(found, allowed) {
  const named = new Set(allowed.map(([change]) => change));
  const refused = found.filter((change) => !named.has(change));
  const unfounded = allowed.filter(([change]) => !found.includes(change));
  const silent = allowed.filter(([, reason]) => typeof reason !== "string" || reason.trim() === "");
  return [
    ...refused.map((change) => `breaks clients: ${JSON.stringify(change)}`),
    ...(refused.length > 0 ? [`take it back, or give the reason in ${accepted}`] : []),
    ...unfounded.map(([change]) => `${accepted} names what is no break: ${JSON.stringify(change)}`),
    ...silent.map(([change]) => `${accepted} gives no reason for ${JSON.stringify(change)}`),
  ];
}

function read(path) {
  return readFileSync(resolve(root, path), "utf8");
}
