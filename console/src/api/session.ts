/** Who is signed in. The session itself is a cookie that no script can read. */
import { signal } from "@preact/signals";
import { go } from "../route";
import { api, ask, onRefusal, Refusal, type Schemas } from "./client";

export type Session = Schemas["ConsoleSession"];
export type Scope = "search" | "analyze" | "people" | "watch" | "export" | "models" | "admin";

/** Undefined: nobody has asked yet; null: nobody is signed in. */
export const session = signal<Session | null | undefined>(undefined);
/** Whether a session that was there has ended: what was typed stays behind the sign-in. */
export const hasEnded = signal(false);
/** A link that would replace the session, and the question that the server asks first. */
export const pendingLink = signal<{ link: string; question: string } | null>(null);

export function may(scope: Scope): boolean {
  return session.value?.scopes.includes(scope) ?? false;
}

onRefusal((refusal) => {
  if (refusal.isSignedOut && session.value) {
    hasEnded.value = true;
    session.value = null;
  }
});

// What is shown belongs to the key that it was found with.
let shownTo: string | undefined;

function take(next: Session): void {
  if (shownTo !== undefined && shownTo !== next.key_id) {
    location.reload();
    return;
  }
  shownTo = next.key_id;
  session.value = next;
  hasEnded.value = false;
}

/** Sign in by the link in the address, where there is one, else by the cookie. */
export async function begin(): Promise<void> {
  const link = linkInAddress();
  if (!link) {
    await look();
    return;
  }
  go("search", undefined, true); // nothing of it stays in the history
  try {
    await signIn({ link });
  } catch (error) {
    if (error instanceof Refusal && error.status === 409) {
      pendingLink.value = { link, question: error.message };
    }
    await look(); // a link that was used before does not matter to who is signed in
    if (!session.peek()) throw error;
  }
}

export function linkInAddress(): string | null {
  return new URLSearchParams(location.hash.slice(1)).get("link");
}

/** Ask whom the cookie stands for. It lasts a week from then on. */
export async function look(): Promise<void> {
  try {
    take(await ask(api.GET("/console/session")));
  } catch (error) {
    if (!(error instanceof Refusal) || !error.isSignedOut) throw error;
    session.value = null;
  }
}

const LOOK_MS = 6 * 3_600_000;
setInterval(lookAgain, LOOK_MS);

// Another window has signed in or out.
const CHANGED = "rushes-session-changed";
addEventListener("storage", (event) => {
  if (event.key === CHANGED) lookAgain();
});

function lookAgain(): void {
  // Whoever is away now is asked again by what needs an answer.
  if (session.peek() !== undefined) look().catch(() => undefined);
}

/** Throws Refusal where the key or the link is not accepted. */
export async function signIn(by: Schemas["SignIn"]): Promise<void> {
  take(await ask(api.POST("/console/sessions", { body: by })));
  localStorage.setItem(CHANGED, String(Date.now()));
}

/** Throws Refusal where the server does not take it. */
export async function signOut(): Promise<void> {
  await ask(api.DELETE("/console/session"));
  localStorage.setItem(CHANGED, String(Date.now()));
  location.reload(); // nothing of what was found stays for whoever comes next
}
