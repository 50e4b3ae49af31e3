/** What there is to say instead of hits, or beside them. */
import { Refusal, sentence } from "../api/client";
import { Notice } from "../parts/notice";
import { coverage } from "./asking/coverage";
import { Busy } from "./asking/patience";
import { activeFilters, choose, filter, noFilters, query } from "./asking/query";
import { asksForPicture } from "./asking/request";
import {
  again,
  asked,
  cancel,
  failure,
  type Found,
  found,
  isGoingOn,
  isOld,
  isSearching,
  isSlow,
  wasCancelled,
} from "./asking/results";
import { percentOf, shareOf } from "./coverage_bar";
import { words } from "../words";

const says = words.search.state;

/** A wait, a failure, or a cancel. */
export function Status() {
  const error = failure.value;
  return (
    <div class="status">
      {isSlow.value && (
        <p role="status">
          {says.slow}{" "}
          <button type="button" onClick={cancel}>
            {words.cancel}
          </button>
        </p>
      )}
      {isSearching.value && !isSlow.value && !isOld.value && (
        <p class="wait">{isGoingOn.value ? words.search.wall.more : says.searching}</p>
      )}
      {wasCancelled.value && <Retry text={says.cancelled} />}
      {error !== null && !isSearching.value && !isSignedOut(error) && (
        <Retry text={sentence(error)} more={soon(error)} isError />
      )}
    </div>
  );
}

/** The sign-in says so. */
function isSignedOut(error: unknown): boolean {
  return error instanceof Refusal && error.isSignedOut;
}

/** Of a server that is away, the sentence says so already. */
function soon(error: unknown): string {
  return error instanceof Busy && error.status !== 0 ? says.againSoon(error.waitSeconds) : "";
}

function Retry({ text, more, isError }: { text: string; more?: string; isError?: boolean }) {
  return (
    <div class={isError ? "retry failed" : "retry"} role={isError ? "alert" : "status"}>
      <p>{text}</p>
      {more && <p class="hint">{more}</p>}
      <button type="button" onClick={again}>
        {words.again}
      </button>
    </div>
  );
}

/** How many there are. */
export function Count({ found }: { found: Found }) {
  const old = isSearching.value ? says.searching : says.old;
  return <p class="found">{isOld.value ? old : [countOf(found), ...found.notes].join(" · ")}</p>;
}

/** The same for screen readers, which listen to what is there already. */
export function Announcement() {
  const isNew = found.value && !isOld.value && !isSearching.value;
  return (
    <p class="hidden" role="status">
      {isNew && found.value ? countOf(found.value) : ""}
    </p>
  );
}

function countOf({ hits, next, asked }: Found): string {
  if (hits.length === 0) return says.none;
  const isJudged = asked.query.filters.least !== "any";
  const count = isJudged ? words.search.wall.count : words.search.wall.pictures;
  return count(hits.length, !next);
}

/** Nothing matches; and what could be done. */
export function Nothing({ found }: { found: Found }) {
  const { filters, people, anyPerson, speaker } = query.value;
  const active = activeFilters(filters).filter((name) => name !== "order" && name !== "least");
  const known = coverage.value;
  const share = known && known.asked.files > 0 ? shareOf(known) : 1;
  return (
    <Notice title={says.none}>
      {found.notes.map((note) => (
        <p key={note}>{note}</p>
      ))}
      <div class="ways">
        {asksForPicture(asked.value) && filters.least !== "any" && known?.searched.files !== 0 && (
          <button type="button" onClick={() => filter("least", "any")}>
            {says.weaker}
          </button>
        )}
        {active.length > 0 && (
          <button type="button" onClick={() => choose({ filters: noFilters })}>
            {says.unfilter(active.length)}
          </button>
        )}
        {people.length > 1 && !anyPerson && (
          <button type="button" onClick={() => choose({ anyPerson: true })}>
            {says.anyPerson}
          </button>
        )}
        {speaker && (
          <button type="button" onClick={() => choose({ speaker: "" })}>
            {says.anySpeaker}
          </button>
        )}
      </div>
      {share < 1 && <p class="hint">{says.missing(percentOf(1 - share))}</p>}
    </Notice>
  );
}
