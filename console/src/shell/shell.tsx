/** What stands around every page: the way to the others, who is signed in, colours and keys. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { sentence } from "../api/client";
import { isLive } from "../api/live";
import { may, session, signOut } from "../api/session";
import { basket } from "../basket/basket";
import { useKeys } from "../keys";
import { go, hrefOf, route } from "../route";
import { nextTheme, theme } from "../theme";
import { words } from "../words";
import { KeyList } from "./key_list";

export function Shell({ children }: { children: ComponentChildren }) {
  const showsKeys = useSignal(false);
  const failure = useSignal("");
  useKeys(words.keys.general, [
    { keys: ["?"], what: words.keys.help, run: () => (showsKeys.value = true) },
    { keys: ["/"], what: words.keys.toSearch, run: toSearch },
    { keys: ["b"], what: words.keys.toBasket, run: () => go("basket") },
    { keys: ["t"], what: words.keys.theme, run: nextTheme },
  ]);
  return (
    <>
      <a class="skip" href="#content" onClick={toContent}>
        {words.skip}
      </a>
      <header class="top">
        <a class="brand" href={hrefOf("search")}>
          <img src="console/icon.svg" alt="" width="24" height="24" />
          {words.name}
        </a>
        <nav aria-label={words.name}>
          <PageLink page="search">{words.pages.search}</PageLink>
          {may("search") && <PageLink page="people">{words.pages.people}</PageLink>}
          <PageLink page="work">{words.pages.work}</PageLink>
          <PageLink page="server">{words.pages.server}</PageLink>
          <PageLink page="basket">
            {words.pages.basket}
            {basket.value.length > 0 && <span class="count">{basket.value.length}</span>}
          </PageLink>
        </nav>
        <span class={isLive.value ? "live on" : "live"} role="status">
          {isLive.value ? words.live.on : words.live.off}
        </span>
        <button type="button" class="icon" onClick={nextTheme} aria-label={words.theme[theme.value]}>
          ◐
        </button>
        <button
          type="button"
          class="icon"
          onClick={() => (showsKeys.value = true)}
          aria-label={words.keys.button}
        >
          ?
        </button>
        {session.value && (
          <button
            type="button"
            class="quiet"
            title={words.session.who(session.value.label)}
            onClick={() => signOut().catch((error: unknown) => (failure.value = sentence(error)))}
          >
            {words.session.leave}
          </button>
        )}
      </header>
      {failure.value && (
        <p class="error banner" role="alert">
          {failure}
        </p>
      )}
      <main id="content" tabIndex={-1}>
        {children}
      </main>
      {showsKeys.value && <KeyList onClose={() => (showsKeys.value = false)} />}
    </>
  );
}

function PageLink({ page, children }: { page: string; children: ComponentChildren }) {
  const isHere = route.value.page.split("/")[0] === page;
  return (
    <a href={hrefOf(page)} aria-current={isHere ? "page" : undefined}>
      {children}
    </a>
  );
}

function toSearch(): void {
  if (route.peek().page !== "search") go("search");
  requestAnimationFrame(() => document.getElementById("search-words")?.focus());
}

function toContent(event: Event): void {
  event.preventDefault(); // the fragment is the route
  document.getElementById("content")?.focus();
}
