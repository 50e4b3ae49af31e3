/** A search as the API takes it. */
import { api, type Schemas } from "../../api/client";
import { words } from "../../words";
import { type Hit, saidHit, seenHit } from "./hits";
import { type Answer, answerOf } from "./patience";
import type { Picture } from "./picture";
import type { Query } from "./query";

export interface Asked {
  query: Query; // with its cache folder
  picture: Picture | null;
}

export interface Page {
  hits: Hit[];
  next?: string;
  notes: string[];
}

const PAGE = 100;
const SAID_PAGE = 50;
const SIZES: Record<string, Schemas["PictureSize"]> = {
  hd: { min_width: 1280, min_height: 720 },
  fullhd: { min_width: 1920, min_height: 1080 },
  uhd: { min_width: 3840, min_height: 2160 },
};

export const asksForPicture = ({ query, picture }: Asked): boolean =>
  Boolean(query.words || query.like || picture);

/** Only words that somebody says are looked for. */
export const isSpokenOnly = (asked: Asked): boolean =>
  Boolean(asked.query.said) && !asksForPicture(asked) && asked.query.people.length === 0;

export const isNothing = (asked: Asked): boolean =>
  !asksForPicture(asked) && !asked.query.said && !asked.query.speaker && asked.query.people.length === 0;

/** One page. Throws Refusal, Busy, and AbortError. */
export async function pageOf(asked: Asked, cursor: string, signal: AbortSignal): Promise<Page> {
  const more = { details: true, cursor };
  const { dir } = asked.query;
  if (isSpokenOnly(asked)) {
    const body = { ...spokenBody(asked.query), ...more, max_results: SAID_PAGE };
    const found = await answerOf(api.POST("/search/transcript", { body, signal }));
    return page(found, found.matches.map((one) => saidHit(dir, one)));
  }
  const images = "url" as const;
  const found = await seen(asked, { ...more, images, max_results: PAGE }, signal);
  return page(found, found.matches.map((one) => seenHit(dir, one, asksForPicture(asked))));
}

/** How much of the folder is analyzed, by asking for next to nothing. */
export async function coverageOf(asked: Asked, signal: AbortSignal): Promise<Schemas["Coverage"]> {
  const { dir, said, speaker } = asked.query;
  const query = said || words.search.anything;
  const body = { cache_dir: dir, query, speaker: speaker || undefined, max_results: 1, coverage: true };
  const found = isSpokenOnly(asked)
    ? await answerOf(api.POST("/search/transcript", { body, signal }))
    : await answerOf(api.POST("/search/text", { body: { ...body, images: false }, signal }));
  if (!found.coverage) throw new TypeError("coverage is missing");
  return found.coverage;
}

/** Pictures of what is said, base64 or nothing, in the order of the hits. */
export async function picturesOf(dir: string, hits: Hit[], signal: AbortSignal) {
  const requests = hits.map(({ path, at }) => ({ media_path: path, time_seconds: at }));
  const body = { cache_dir: dir, requests };
  return (await answerOf(api.POST("/thumbnails", { body, signal }))).thumbnails;
}

function page(found: { next?: string | null; notes?: string[] | null }, hits: Hit[]): Page {
  return { hits, next: found.next ?? undefined, notes: found.notes ?? [] };
}

type More = Partial<Omit<Schemas["SearchTextBody"], "query">>;

function seen(asked: Asked, more: More, signal: AbortSignal): Promise<Schemas["Matches"]> {
  const { query, picture } = asked;
  const body = { ...seenBody(asked), ...more };
  const text = { query: query.words || undefined };
  let answer: Answer<Schemas["Matches"]>;
  if (picture) {
    answer = api.POST("/search/image", { body: { ...body, ...text, image: picture.base64 }, signal });
  } else if (query.like) {
    const moment = { media_path: query.like.path, time_seconds: query.like.second };
    answer = api.POST("/search/frame", { body: { ...body, ...text, ...moment }, signal });
  } else {
    // People alone, or who speaks: whatever they do, they are to be seen.
    const text = query.words || words.search.anything;
    answer = api.POST("/search/text", { body: { ...body, query: text }, signal });
  }
  return answerOf(answer);
}

function seenBody(asked: Asked): Omit<Schemas["SearchTextBody"], "query"> {
  const { query } = asked;
  return {
    cache_dir: query.dir,
    filters: filtersOf(query),
    spoken: query.said || undefined,
    speaker: query.speaker || undefined,
    people_filter: query.people.map(({ collection, name }) => ({
      cluster_job_name: collection,
      person_name: name,
    })),
    people_filter_mode: query.anyPerson ? "or" : "and",
    ...rankingOf(asked),
  };
}

/** As `rushes search` does: weak matches are shown, what is none is not. */
function rankingOf(asked: Asked): More {
  const { order, least } = asked.query.filters;
  if (!asksForPicture(asked)) return { sort: orderOf(order) ?? "time", min_score: 0 };
  const sort = orderOf(order);
  if (least !== "any") return { sort, min_strength: strengthOf(least) };
  return sort ? { sort, min_score: 0 } : {};
}

function spokenBody(query: Query): Omit<Schemas["SearchTranscriptBody"], "max_results"> {
  return {
    cache_dir: query.dir,
    query: query.said,
    speaker: query.speaker || undefined,
    mode: "auto",
    captions: true,
    filters: filtersOf(query),
    sort: orderOf(query.filters.order),
  };
}

function filtersOf({ filters }: Query): Schemas["Filters"] | undefined {
  const { folder, after, before, rate, size, sound, lang } = filters;
  const given: Schemas["Filters"] = {
    folder: folder || undefined,
    recorded: after || before ? { from: after || undefined, to: before || undefined } : undefined,
    rate: rate ? { min: Number(rate), max: Number(rate) } : undefined,
    size: SIZES[size],
    sound: sound ? sound === "yes" : undefined,
    language: lang || undefined,
  };
  return Object.values(given).some((value) => value !== undefined) ? given : undefined;
}

function orderOf(order: string): Schemas["MatchOrder"] | undefined {
  return (["time", "date", "date_desc"] as const).find((one) => one === order);
}

function strengthOf(least: string): Schemas["MatchStrength"] {
  return (["strong", "fair"] as const).find((one) => one === least) ?? "weak";
}
