/** The API as our OpenAPI document describes it. */
import createClient from "openapi-fetch";
import type { components, paths } from "../../generated/api";
import { words } from "../words";

export type Schemas = components["schemas"];

/** Where the server is: the folder of the page, which may be a sub-path of a host. */
export const home = new URL(".", document.baseURI);

export const api = createClient<paths>({
  baseUrl: new URL("api/v1", home).href,
  headers: { "X-Rushes-Console": "1" },
});

/** An answer that is no answer: what the server said, or that it said nothing. */
export class Refusal extends Error {
  constructor(
    readonly status: number, // 0: the server did not answer
    readonly label: string,
    message: string,
  ) {
    super(message);
  }

  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

type Listener = (refusal: Refusal) => void;
const listeners = new Set<Listener>();

/** Call `listener` with every refusal, whoever asked. */
export function onRefusal(listener: Listener): void {
  listeners.add(listener);
}

/** The data of an answer. Throws Refusal, and AbortError where the caller has given up. */
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  try {
    const { data, error, response } = await answer;
    if (response.ok && data !== undefined) return data;
    throw refusalOf(error, response.status);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    const refusal =
      error instanceof Refusal ? error : new Refusal(0, words.errors.away, words.errors.awayLong);
    listeners.forEach((listener) => listener(refusal));
    throw refusal;
  }
}

/** What the server says of an answer besides: what it leaves out, and why. */
export function warningsOf(response: Response): string[] {
  return JSON.parse(response.headers.get("x-rushes-warnings") ?? "[]") as string[];
}

function refusalOf(body: unknown, status: number): Refusal {
  const { error, message } = (body ?? {}) as { error?: string; message?: string };
  return new Refusal(status, error ?? words.errors.strange, message ?? words.errors.status(status));
}

/** A sentence for whatever was thrown. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
