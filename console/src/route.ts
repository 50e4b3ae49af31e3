/** The address: `#/page?name=value`. It never leaves the browser, so nothing typed is logged. */
import { signal } from "@preact/signals";

export interface Route {
  page: string;
  params: URLSearchParams;
}

export const route = signal<Route>(read());

addEventListener("hashchange", () => (route.value = read()));

function read(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { page: path || "search", params: new URLSearchParams(query) };
}

export function hrefOf(page: string, params?: URLSearchParams): string {
  const query = params?.toString();
  return `#/${page}${query ? `?${query}` : ""}`;
}

/** Go to an address; `replace`: the one before is not kept in the history. */
export function go(page: string, params?: URLSearchParams, replace = false): void {
  const href = hrefOf(page, params);
  if (href === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  route.value = read();
}

/** Change some parameters of this address; null takes one out. */
export function change(changes: Record<string, string | null>, replace = false): void {
  const { page, params } = read();
  if (page !== route.peek().page) return; // the user leaves this page, and `hashchange` follows
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  go(page, next, replace);
}
