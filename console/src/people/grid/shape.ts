/** How many faces stand side by side, and how large they are. Pixels. */
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

export interface Shape {
  columns: number;
  gap: number;
  width: number; // of a tile, and the height of its picture
  height: number; // of a tile
  top: number; // of the grid in the document
}

const GAP = 12;

/** `about`: rem below the picture. */
export function useShape(grid: RefObject<HTMLElement | null>, about: number): Shape {
  const [{ width, top }, setPlace] = useState({ width: 1000, top: 0 });
  useLayoutEffect(() => {
    const measure = () => {
      if (!grid.current) return;
      const box = grid.current.getBoundingClientRect();
      const now = { width: box.width, top: Math.round(box.top + window.scrollY) };
      setPlace((before) => (before.width === now.width && before.top === now.top ? before : now));
    };
    measure();
    // What stands above the grid changes the height of the page.
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const least = width < 520 ? 96 : 128;
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  const tile = (width - GAP * (columns - 1)) / columns;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return { columns, gap: GAP, width: tile, height: Math.round(tile + about * rem), top };
}
