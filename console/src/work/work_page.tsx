/** Work: what is done and waits, what to analyze, and the folders that are watched. */
import { type ComponentType } from "preact";
import { useTitle } from "../parts/title";
import { hrefOf, route } from "../route";
import { words } from "../words";
import { work } from "../words/work";
import { AnalyzePage } from "./analyze/analyze_page";
import { LeftOutPage } from "./tasks/left_out_page";
import { TasksPage } from "./tasks/tasks_page";
import { WatchPage } from "./watch/watch_page";

type Part = keyof typeof parts;

const parts = {
  tasks: TasksPage,
  analyze: AnalyzePage,
  watch: WatchPage,
  "left-out": LeftOutPage,
} satisfies Record<string, ComponentType>;

export function WorkPage() {
  const part = partOf(route.value.page);
  const Shown = parts[part];
  useTitle(work.parts[part]);
  return (
    <div class="work">
      <h1 class="hidden">{words.pages.work}</h1>
      <nav class="tabs" aria-label={work.parts.label}>
        {(Object.keys(parts) as Part[]).map((one) => (
          <a key={one} href={addressOf(one)} aria-current={one === part ? "page" : undefined}>
            {work.parts[one]}
          </a>
        ))}
      </nav>
      <Shown />
    </div>
  );
}

function partOf(page: string): Part {
  const [, part = ""] = page.split("/");
  return Object.hasOwn(parts, part) ? (part as Part) : "tasks";
}

function addressOf(part: Part): string {
  return hrefOf(part === "tasks" ? "work" : `work/${part}`);
}
