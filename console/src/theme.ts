/** Light or dark: as the system has it, until somebody chooses. */
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const NAME = "rushes-theme";

export const theme = signal<Theme>((localStorage.getItem(NAME) as Theme | null) ?? "system");

theme.subscribe((chosen) => {
  document.documentElement.dataset.theme = chosen;
  if (chosen === "system") localStorage.removeItem(NAME);
  else localStorage.setItem(NAME, chosen);
});

addEventListener("storage", (event) => {
  if (event.key === NAME) theme.value = (event.newValue as Theme | null) ?? "system";
});

export function nextTheme(): void {
  const all: Theme[] = ["system", "light", "dark"];
  theme.value = all[(all.indexOf(theme.value) + 1) % all.length] ?? "system";
}
