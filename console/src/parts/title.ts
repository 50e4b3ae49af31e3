/** The title of the window: what is shown, on which page, of which program. Nothing else sets it. */
import { computed, effect, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { route } from "../route";
import { words } from "../words";

const names: Record<string, string> = { ...words.pages, search: "" }; // where everybody begins
const page = computed(() => route.value.page.split("/")[0] ?? "");

/** What the page shows; "" where there is nothing more to say. */
export const shownTitle = signal("");

effect(() => {
  const name = Object.hasOwn(names, page.value) ? names[page.value] : "";
  document.title = [shownTitle.value, name, words.name].filter(Boolean).join(" · ");
});

export function useTitle(shown: string): void {
  useEffect(() => {
    shownTitle.value = shown;
    return () => void (shownTitle.value = "");
  }, [shown]);
}
