/** Where results go. */
import { signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { may, session } from "../../api/session";
import { commonFolder, folderOf, isAllowed, isInside, within } from "../browser/paths";

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

/** The library that lies near these folders already, else a new one where all of them lie; "": nobody knows. */
export function usualLibrary(folders: string[]): string {
  const [first = ""] = folders;
  if (!first) return libraries.value[0]?.cache_dir ?? "";
  const roots = session.value?.cache_roots ?? session.value?.roots;
  const common = commonFolder(folders);
  const folder = common && isAllowed(common, roots) ? common : first;
  const near = libraries.value
    .map(({ cache_dir }) => cache_dir)
    .filter((one) => folderOf(one) !== "" && isInside(folder, folderOf(one)))
    .sort((one, other) => folderOf(other).length - folderOf(one).length); // of equals the one used last
  return near[0] ?? within(folder, ".rushes");
}
