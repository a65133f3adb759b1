// Runs breaking.mjs on repositories of its own. OASDIFF=path node --test breaking.test.mjs
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("breaking.mjs", import.meta.url));
const oasdiff = resolve(process.env.OASDIFF ?? "oasdiff");

const property = "id: { type: string }";
const route = "  /things:";
const released = `openapi: 3.1.0
info: { title: Things, version: "1" }
paths:
${route}
    get:
      responses:
        "200":
          description: All.
          content:
            application/json:
              schema: { type: object, required: [id], properties: { ${property} } }
`;
const broken = released.replace(property, "id: { type: integer }");
const grown = `${released.replace(property, `${property}, name: { type: string }`)}${released
  .slice(released.indexOf(route))
  .replace(route, "  /more:")}`;

/** A repository whose baseline is the released contract and whose document is the given one. */
function repository(t, document, accepted = {}) {
  const root = mkdtempSync(join(tmpdir(), "contract-"));
  t.after(() => rmSync(root, { recursive: true }));
  const files = {
    "docs/openapi.yaml": document,
    "api/baseline/openapi.yaml": released,
    "api/baseline/accepted.json": JSON.stringify(accepted),
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  git(root, "init", "--quiet");
  return root;
}

function git(root, ...args) {
  const identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
  execFileSync("git", ["-C", root, ...identity, ...args]);
}

function release(root, tag) {
  git(root, "add", ".");
  git(root, "commit", "--quiet", "--message", tag);
  git(root, "tag", tag);
}

function compare(root) {
  return spawnSync(process.execPath, [script, root, oasdiff], { encoding: "utf8" });
}

/** The one change that the broken document makes, as a person would copy it from the output. */
function change(t) {
  const refused = compare(repository(t, broken)).stderr;
  const [, found] = refused.match(/breaks clients: (".*")/) ?? [];
  assert.ok(found, refused);
  return JSON.parse(found);
}

function passes(got, words) {
  assert.equal(got.status, 0, got.stderr);
  assert.match(got.stdout, words);
}

function fails(got, words) {
  assert.equal(got.status, 1, got.stdout);
  assert.match(got.stderr, words);
}

test("an unchanged contract passes, and the missing tag is said", (t) => {
  passes(compare(repository(t, released)), /no release tag/);
});
test("a longer contract passes", (t) => passes(compare(repository(t, grown)), /compared/));
test("a break fails and is named", (t) => {
  fails(compare(repository(t, broken)), /GET \/things: .*id.*integer/);
});
test("a route that is gone fails", (t) => {
  fails(compare(repository(t, released.replace(route, "  /other:"))), /GET \/things/);
});
test("an accepted break passes", (t) => {
  passes(compare(repository(t, broken, { [change(t)]: "No app reads it." })), /compared/);
});
test("an accepted break without a reason fails", (t) => {
  fails(compare(repository(t, broken, { [change(t)]: " " })), /gives no reason/);
});
test("an accepted break that is none fails", (t) => {
  fails(compare(repository(t, released, { "GET /things: gone": "Why not." })), /what is no break/);
});
test("a baseline that is the last release's passes, and the tag is said", (t) => {
  const root = repository(t, released);
  release(root, "v1.2.3");
  writeFileSync(join(root, "docs/openapi.yaml"), grown);
  passes(compare(root), /compared with v1\.2\.3/);
});
test("a baseline that is not the last release's fails", (t) => {
  const root = repository(t, grown);
  release(root, "v1.2.3");
  fails(compare(root), /is not what v1\.2\.3 has/);
});
