/** Which segments of a long transcript are to be drawn while it scrolls. */
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from "@tanstack/virtual-core";
import type { RefObject } from "preact";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

export type TranscriptRows = Virtualizer<HTMLElement, HTMLLIElement>;

const USUAL_HEIGHT = 62; // pixels, until a row is measured

/**
 * `keys`: of each row, so that its height stays known when others are filtered out; `kept`: the place
 * of a row that stays, as it may have the focus.
 */
export function useTranscriptRows(
  scroller: RefObject<HTMLElement | null>,
  keys: number[],
  kept: number,
): TranscriptRows {
  const [, draw] = useReducer((times: number) => times + 1, 0);
  const options = {
    count: keys.length,
    getItemKey: (index: number) => keys[index] ?? index,
    getScrollElement: () => scroller.current,
    estimateSize: () => USUAL_HEIGHT,
    overscan: 6,
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
      const shown = defaultRangeExtractor(range);
      return kept < 0 || shown.includes(kept) ? shown : [...shown, kept].sort((a, b) => a - b);
    },
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: draw,
  };
  const [rows] = useState(() => new Virtualizer<HTMLElement, HTMLLIElement>(options));
  rows.setOptions(options);
  useLayoutEffect(() => rows._didMount(), []);
  useLayoutEffect(() => rows._willUpdate());
  return rows;
}
