/** Which rows of a long list are to be drawn while the window scrolls. */
import {
  defaultRangeExtractor,
  observeWindowOffset,
  observeWindowRect,
  Virtualizer,
  windowScroll,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

export type Rows = Virtualizer<Window, Element>;

interface RowsProps {
  count: number;
  height: number; // pixels, with the gap behind it
  top: number; // where the list begins in the document
  kept: number; // a row that stays, as it may have the focus
  alsoKept?: number; // another one; left out or below 0: none
  below?: number; // pixels at the bottom of the window that may be covered
}

const HEADER = 64; // pixels at the top of the window that are covered

export function useRows({ count, height, top, kept, alsoKept = -1, below = 8 }: RowsProps): Rows {
  const [, draw] = useReducer((times: number) => times + 1, 0);
  const options = {
    count,
    estimateSize: () => height,
    scrollMargin: top,
    scrollPaddingStart: HEADER,
    scrollPaddingEnd: below,
    overscan: 2,
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) => {
      const shown = defaultRangeExtractor(range);
      const more = [kept, alsoKept].filter((row) => row >= 0 && row < count);
      return more.every((row) => shown.includes(row)) ? shown : [...new Set([...shown, ...more])].sort((a, b) => a - b);
    },
    getScrollElement: () => window,
    observeElementRect: observeWindowRect,
    observeElementOffset: observeWindowOffset,
    scrollToFn: windowScroll,
    initialOffset: () => window.scrollY,
    onChange: draw,
  };
  const [rows] = useState(() => new Virtualizer<Window, Element>(options));
  rows.setOptions(options);
  useLayoutEffect(() => rows._didMount(), []);
  useLayoutEffect(() => rows._willUpdate());
  useLayoutEffect(() => rows.measure(), [height]);
  return rows;
}
