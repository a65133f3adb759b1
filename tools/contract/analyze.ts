// The app's flow: log in, send a photo, have it analysed, poll, show the answer.
// usage: node dist/analyze.js SERVER PHOTO.jpg
import { createHash, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type Api, must, newApi, type Schemas } from "./client.js";
import { logIn } from "./login.js";

const defaultPollMs = 500;

/** Announces a photo and sends it straight to S3; the upload's id comes back. */
async function upload(api: Api, photo: Uint8Array<ArrayBuffer>): Promise<string> {
  const ticket = must(
    await api.POST("/waste/uploads", {
      body: {
        sha256: createHash("sha256").update(photo).digest("hex"),
        size: photo.length,
        content_type: "image/jpeg",
      },
    }),
  );
  const { method, headers } = ticket;
  const sent = await fetch(ticket.url, { method, headers, body: photo });
  if (!sent.ok) throw new Error(`S3 answered ${sent.status}: ${await sent.text()}`);
  return ticket.upload_id;
}

/** Creates an analysis and polls it until it has ended; a cache may have answered at once. */
async function analyze(api: Api, uploadId: string): Promise<Schemas["Job"]> {
  const created = await api.POST("/waste/analyses", {
    params: { header: { "Idempotency-Key": randomUUID() } },
    body: { upload_id: uploadId, location: { lat: 37.5663, lng: 126.9779 }, locale: "en" },
  });
  let job = must(created);
  let etag: string | undefined;
  let pause = pollAfter(created.response);
  while (job.finished_at === null) {
    await sleep(pause);
    const polled = await api.GET("/waste/analyses/{id}", {
      params: {
        path: { id: job.id },
        header: etag === undefined ? {} : { "If-None-Match": etag },
      },
    });
    pause = pollAfter(polled.response);
    if (polled.response.status === 304) continue; // unchanged, and without a body
    job = must(polled);
    etag = polled.response.headers.get("ETag") ?? undefined;
    console.log(`${job.progress} % ${job.message}`);
  }
  return job;
}

function pollAfter(response: Response): number {
  return Number(response.headers.get("Poll-After-Ms") ?? defaultPollMs);
}

function show(result: Schemas["Result"]): void {
  console.log(`${result.vision.label} → ${result.advice.item_name}: ${result.advice.summary}`);
  for (const step of result.advice.steps) console.log(`- ${step.text}`);
  for (const point of result.collection_points) console.log(`${point.distance_m} m ${point.name}`);
}

async function run(server: string, path: string): Promise<void> {
  const api = newApi(server);
  const tokens = await logIn(api);
  api.use({
    onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${tokens.access_token}`);
    },
  });
  const uploadId = await upload(api, new Uint8Array(await readFile(path)));
  const job = await analyze(api, uploadId);
  console.log(`${job.status} ${job.id}`);
  if (job.error) throw new Error(`${job.error.code}: ${job.error.detail}`);
  if (job.result) show(job.result);
}

const [, , server, photo] = process.argv;
if (server === undefined || photo === undefined) {
  console.error("usage: node dist/analyze.js SERVER PHOTO.jpg");
  process.exit(2);
}
try {
  await run(server, photo);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
