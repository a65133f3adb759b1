// Logs in by authorization code with PKCE.
import { createHash, randomBytes } from "node:crypto";
import { type Api, must, type Schemas } from "./client.js";

// The app's own address; the system hands it what the browser ends at. Here nobody listens.
const redirectUri = "http://127.0.0.1/login";
const maxHops = 15;

/** Logs in with the server's first provider that asks nobody anything. */
export async function logIn(api: Api): Promise<Schemas["Tokens"]> {
  const { providers } = must(await api.GET("/auth/providers"));
  const provider = providers.find((p) => !p.interactive)?.id;
  if (provider === undefined) throw new Error("every provider asks a person");

  const verifier = randomBytes(32).toString("base64url");
  const state = randomBytes(16).toString("base64url");
  const begun = await api.GET("/auth/{provider}/authorize", {
    params: {
      path: { provider },
      query: {
        redirect_uri: redirectUri,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
        state,
      },
    },
    redirect: "manual", // an app opens this address in a browser
  });
  const back = await followTo(redirectUri, begun.response);
  if (back.searchParams.get("state") !== state) throw new Error("the answer to another login");
  const code = back.searchParams.get("code");
  if (code === null) throw new Error(`refused: ${back.searchParams.get("error")}`);

  return must(
    await api.POST("/auth/{provider}/token", {
      params: { path: { provider } },
      body: { code, code_verifier: verifier, state, redirect_uri: redirectUri },
    }),
  );
}

/** Goes where a browser is sent until that is the app's address. */
async function followTo(end: string, first: Response): Promise<URL> {
  let answer = first;
  for (let hop = 0; hop < maxHops; hop++) {
    const location = answer.headers.get("Location");
    if (location === null) throw new Error(`${answer.url} answered ${answer.status}`);
    const next = new URL(location, answer.url);
    if (next.href.startsWith(`${end}?`)) return next;
    answer = await fetch(next, { redirect: "manual" });
  }
  throw new Error("it redirects without an end");
}
