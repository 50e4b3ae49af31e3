/** A grid of faces: only those near the window are drawn, and arrows go from one to the next. */
import type { ComponentChildren, RefObject } from "preact";
import { useEffect, useImperativeHandle, useLayoutEffect, useRef } from "preact/hooks";
import { type Key, useKeys } from "../../keys";
import { route } from "../../route";
import { useRows } from "../../search/wall/rows";
import { says } from "../../words/people";
import { type Shape, useShape } from "./shape";

/** What others ask of a grid. */
export interface GridHandle {
  focus: (place: number) => void;
  hasFocus: () => boolean;
}

export interface Place {
  place: number;
  shape: Shape;
  isActive: boolean;
  isAtEnd: boolean; // in the right half, where what opens has no room to the right
  style: Record<string, string>;
}

interface GridProps {
  label: string;
  title: string; // of its keys
  keys: Key[];
  count: number;
  active: number; // the place that has the focus, or gets it
  typing?: number; // the place where somebody types; it stays drawn
  about: number; // rem below the picture
  handle: RefObject<GridHandle | null>;
  onActive: (place: number) => void;
  onSight: (first: number, end: number) => void;
  tile: (at: Place) => ComponentChildren;
}

const DOCK = 130; // pixels: what is selected, and the last message

export function Grid(props: GridProps) {
  const { label, title, count, active, typing = -1, about, onSight, tile } = props;
  const grid = useRef<HTMLDivElement>(null);
  const shape = useShape(grid, about);
  const { columns, gap, width, height, top } = shape;
  const rows = useRows({
    count: Math.ceil(count / columns),
    height: height + gap,
    top,
    kept: Math.floor(active / columns),
    alsoKept: Math.floor(typing / columns),
    below: DOCK,
  });
  const focus = useFocus(grid, active);
  useImperativeHandle(props.handle, () => ({ focus: move, hasFocus: focus.isInside }));

  const first = (rows.range?.startIndex ?? 0) * columns;
  const end = Math.min(count, ((rows.range?.endIndex ?? 0) + 1) * columns);
  useEffect(() => onSight(first, end));

  function move(to: number): void {
    const place = Math.max(0, Math.min(count - 1, to));
    focus.want(place);
    props.onActive(place);
    rows.scrollToIndex(Math.floor(place / columns), { align: "auto" });
    focus.take();
  }

  function arrow({ key }: KeyboardEvent): void {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0;
    if (key === "Home") move(0);
    else if (key === "End") move(count - 1);
    else move(focus.isInside() ? active + step : active);
  }

  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
  const keys = [{ keys: arrows, what: says.keys.move, run: arrow }, ...props.keys];
  useKeys(title, route.value.params.has("play") ? [] : keys);

  const drawn = rows.getVirtualItems().flatMap((row) =>
    Array.from({ length: Math.min(columns, count - row.index * columns) }, (_, column) => {
      const place = row.index * columns + column;
      return tile({
        place,
        shape,
        isActive: place === active,
        isAtEnd: column >= columns / 2,
        style: {
          width: `${width}px`,
          height: `${height}px`,
          transform: `translate(${column * (width + gap)}px, ${row.start - top}px)`,
        },
      });
    }),
  );
  return (
    <div
      ref={grid}
      role="list"
      aria-label={label}
      class="faces-grid"
      style={{ height: `${Math.max(0, rows.getTotalSize() - gap)}px` }}
      onFocusIn={focus.onIn}
      onFocusOut={focus.onOut}
    >
      {drawn}
    </div>
  );
}

/** Gives the focus to a tile once it is drawn, and keeps it where tiles change their places. */
function useFocus(grid: RefObject<HTMLElement | null>, active: number) {
  const wanted = useRef<number | null>(null);
  const hadIt = useRef(false);

  const isInside = () => grid.current?.contains(document.activeElement) ?? false;
  function take(): void {
    const { activeElement: at, body } = document;
    // What is moved in a page loses the focus.
    if (wanted.current === null && hadIt.current && (at === body || at === null)) {
      const field = grid.current?.querySelector<HTMLElement>(".naming input");
      if (field) return field.focus({ preventScroll: true }); // letters are words there, not keys
      wanted.current = active;
    }
    if (wanted.current === null) return;
    const tile = grid.current?.querySelector<HTMLElement>(`[data-place="${wanted.current}"] .face-link`);
    if (!tile) return;
    wanted.current = null;
    if (at !== tile) tile.focus({ preventScroll: true });
  }
  useLayoutEffect(take);
  return {
    want: (place: number) => (wanted.current = place),
    take,
    isInside,
    onIn: () => (hadIt.current = true),
    onOut: ({ relatedTarget }: FocusEvent) => {
      if (relatedTarget instanceof Node && !grid.current?.contains(relatedTarget)) hadIt.current = false;
    },
  };
}
