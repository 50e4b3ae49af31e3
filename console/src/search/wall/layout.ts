/** How many cards stand side by side, and how large they are. Pixels. */
import type { RefObject } from "preact";
import { useLayoutEffect, useState } from "preact/hooks";

const GAP = 12;
const ABOUT_REM = { seen: 3.7, said: 6.2 }; // below the picture

export interface Layout {
  columns: number;
  gap: number;
  width: number; // of a card
  picture: number; // its height
  height: number; // of a card
  top: number; // of the wall in the document
}

export function useLayout(wall: RefObject<HTMLElement | null>, kind: "seen" | "said"): Layout {
  const [{ width, top }, setPlace] = useState({ width: 1000, top: 0 });
  useLayoutEffect(() => {
    const measure = () => {
      if (!wall.current) return;
      const box = wall.current.getBoundingClientRect();
      const now = { width: box.width, top: Math.round(box.top + window.scrollY) };
      setPlace((before) => (before.width === now.width && before.top === now.top ? before : now));
    };
    measure();
    // What stands above the wall changes the height of the page.
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const least = width < 520 ? 150 : width < 1900 ? 220 : 290;
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  const card = (width - GAP * (columns - 1)) / columns;
  const picture = Math.round((card * 9) / 16);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const height = picture + Math.round(ABOUT_REM[kind] * rem);
  return { columns, gap: GAP, width: card, picture, height, top };
}
