/** Folders: where the analysis of the ranges is, and where exports go. */
import type { Range } from "./basket";

/**
 * The one cache folder of all ranges; undefined: there are several, or none is known. Exact cuts, and
 * files that are away, need the one that knows them.
 */
export function oneFolder(ranges: Range[]): string | undefined {
  const [first] = ranges;
  const isOne = ranges.every(({ cacheDir }) => cacheDir === first?.cacheDir);
  return (isOne && first?.cacheDir) || undefined;
}

/** A path in a folder of any system. */
export function inFolder(folder: string, file: string): string {
  const separator = /^[A-Za-z]:\\|^\\\\/.test(folder) ? "\\" : "/";
  return `${folder.trim().replace(/[/\\]+$/, "")}${separator}${file}`;
}
