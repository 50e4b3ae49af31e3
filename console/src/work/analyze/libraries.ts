/** Where results go. */
import { signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { may } from "../../api/session";
import { folderOf, isInside, within } from "../browser/paths";

/** Those that the server knows, the one used last first. */
export const libraries = signal<Schemas["KnownFolder"][]>([]);

export async function loadLibraries(): Promise<void> {
  if (!may("search")) return;
  try {
    libraries.value = (await ask(api.GET("/analysis-data/folders"))).folders;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // one can be typed all the same
  }
}

/** The library that lies beside or above a folder already, else a new one in it; "": nobody knows. */
export function usualLibrary(folder: string): string {
  if (!folder) return libraries.value[0]?.cache_dir ?? "";
  const near = libraries.value
    .map(({ cache_dir }) => cache_dir)
    .filter((one) => isInside(folder, folderOf(one)) && folderOf(one) !== "")
    .sort((one, other) => other.length - one.length);
  return near[0] ?? within(folder, ".rushes");
}
