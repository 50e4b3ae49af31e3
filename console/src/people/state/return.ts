/** Where somebody was in a long list who went to another page and comes back. */
import { useLayoutEffect, useMemo } from "preact/hooks";

interface Left {
  scrollY: number;
  active: string; // the id of what had the focus
}

const places = new Map<string, Left>();

/** Goes to where they were; `active` of the answer is to be kept up to date. */
export function useReturn(name: string): Left {
  const place = useMemo(() => places.get(name) ?? { scrollY: 0, active: "" }, []);
  places.set(name, place);
  useLayoutEffect(() => {
    const back = place.scrollY;
    // The list takes its height when it is drawn.
    const timer = requestAnimationFrame(() => window.scrollTo({ top: back }));
    const scrolled = () => (place.scrollY = window.scrollY);
    addEventListener("scroll", scrolled, { passive: true });
    return () => {
      cancelAnimationFrame(timer);
      removeEventListener("scroll", scrolled);
    };
  }, []);
  return place;
}
