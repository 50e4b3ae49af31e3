/** Answers that are worth waiting for: a 503 says when to ask again. */
import { ask, Refusal } from "../../api/client";

export type Answer<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The server cannot answer now, but in a few seconds perhaps. */
export class Busy extends Refusal {
  constructor(
    refusal: Refusal,
    readonly waitSeconds: number,
  ) {
    super(refusal.status, refusal.label, refusal.message);
  }
}

const AWAY_SECONDS = 5; // where the server does not answer at all

/** The data of an answer. Throws Busy where it is worth asking again, else Refusal or AbortError. */
export async function answerOf<T>(answer: Answer<T>): Promise<T> {
  try {
    return await ask(answer);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 0) throw new Busy(error, AWAY_SECONDS);
    if (error.status !== 503) throw error;
    const seconds = Number((await answer).response.headers.get("retry-after"));
    throw new Busy(error, seconds || AWAY_SECONDS);
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
