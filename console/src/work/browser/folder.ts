/** What lies in a folder of the server, page by page. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { useLoad } from "../../parts/load";
import { useSettled } from "../settled";

export type Content = Schemas["FolderContent"];

const PAGE = 500;

/** `library` "": what is analyzed is not asked; `turn`: it is looked anew when this changes. */
export function useFolder(path: string, library: string, turn: string) {
  const into = useSettled(library, path); // while it is typed
  const first = useLoad(`${path}\n${into}`, (signal) => look(path, into, undefined, signal));
  const last = useRef<{ path: string; content: Content } | null>(null);
  const added = useSignal<{ to: Content | undefined; pages: Content[] }>({ to: undefined, pages: [] });
  const pages = added.value.to === first.data ? added.value.pages : [];
  useEffect(() => {
    if (first.data) first.again();
  }, [turn]);
  if (first.data) last.current = { path, content: joined([first.data, ...pages]) };
  // Of another library it is told soon: until then the folder stays.
  const content = last.current?.path === path && first.error == null ? last.current.content : undefined;
  const more = async () => {
    if (!first.data) return; // it is looked anew
    const page = await look(path, into, content?.next ?? undefined);
    added.value = { to: first.data, pages: [...pages, page] };
  };
  return { content, error: first.error, again: first.again, more };
}

function joined(pages: Content[]): Content {
  return {
    ...pages[0]!,
    folders: pages.flatMap(({ folders }) => folders),
    files: pages.flatMap(({ files }) => files),
    next: pages.at(-1)!.next,
  };
}

function look(path: string, library: string, after: string | undefined, signal?: AbortSignal) {
  const body = { path: path || undefined, cache_dir: library || undefined, limit: PAGE, after };
  return ask(api.POST("/media/folder", { body, signal }));
}
