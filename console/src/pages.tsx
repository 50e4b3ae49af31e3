/** Which page an address shows. All but the first are fetched when somebody goes there. */
import { useSignal } from "@preact/signals";
import { type ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { BasketPage } from "./basket/basket_page";
import { held } from "./parts/held";
import { Failure } from "./parts/notice";
import { route } from "./route";
import { SearchPage } from "./search/search_page";
import { words } from "./words";

type Page = ComponentType;

const here: Record<string, Page> = { search: SearchPage, basket: BasketPage };
const arrived: Record<string, Page> = {};
const fetched: Record<string, () => Promise<Page>> = {
  people: async () => (await import("./people/people_page")).PeoplePage,
  work: async () => (await import("./work/work_page")).WorkPage,
  server: async () => (await import("./server/server_page")).ServerPage,
};

export function Pages() {
  const [page = ""] = route.value.page.split("/");
  const Shown = own(here, page) ?? SearchPage;
  return (
    <>
      {own(fetched, page) ? <Fetched key={page} page={page} /> : <Shown />}
      {held.value}
    </>
  );
}

/** What a record has by itself: an address may name what every object has. */
function own<T>(record: Record<string, T>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

function Fetched({ page }: { page: string }) {
  const shown = useSignal<{ Page?: Page; error?: unknown }>({ Page: arrived[page] });
  const load = () =>
    fetched[page]?.()
      .then((Page) => {
        arrived[page] = Page;
        shown.value = { Page };
      })
      .catch((error: unknown) => (shown.value = { error }));
  useEffect(() => void (arrived[page] || load()), []);
  const { Page, error } = shown.value;
  if (Page) return <Page />;
  if (!error) return <p class="wait">{words.loading}</p>;
  return (
    // A server that is of another version by now has this part under another name.
    <Failure error={words.errors.part} again={load}>
      <button type="button" class="primary" onClick={() => location.reload()}>
        {words.errors.reload}
      </button>
    </Failure>
  );
}
