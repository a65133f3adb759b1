// The typed client: every path, parameter and answer comes from docs/openapi.yaml.
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./generated/openapi.js";

export type Schemas = components["schemas"];
export type Api = Client<paths>;

export function newApi(server: string): Api {
  return createClient<paths>({ baseUrl: `${server}/api/v1` });
}

/** What the API refused, or could not do. */
export class Refused extends Error {
  constructor(
    readonly problem: Schemas["Problem"],
    /** Seconds to wait before the same request may succeed, where the server says so. */
    readonly retryAfter: number | undefined,
  ) {
    super(`${problem.status} ${problem.code}: ${problem.detail}`);
  }
}

/** The answer of a call that succeeded; else it throws. */
export function must<T>(result: { data?: T; error?: unknown; response: Response }): T {
  if (result.data !== undefined) return result.data;
  if (isProblem(result.error)) {
    const seconds = Number(result.response.headers.get("Retry-After") ?? NaN);
    throw new Refused(result.error, Number.isNaN(seconds) ? undefined : seconds);
  }
  throw new Error(`${result.response.url} answered ${result.response.status}`);
}

function isProblem(error: unknown): error is Schemas["Problem"] {
  return typeof error === "object" && error !== null && "code" in error && "status" in error;
}
