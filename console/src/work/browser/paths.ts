/** Paths of the server, which may be of any system. */

/** Whether a path is a folder, or lies in it. */
export function isInside(path: string, folder: string): boolean {
  const base = folder.replace(/[/\\]+$/, "");
  return path === folder || (path.startsWith(base) && /^[/\\]/.test(path.slice(base.length)));
}

/** The folder that a path lies in; "" where that is not known. */
export function folderOf(path: string): string {
  return path.replace(/[/\\][^/\\]*[/\\]*$/, "");
}

/** A name in a folder, written as the folder is. */
export function within(folder: string, name: string): string {
  const slash = folder.includes("\\") && !folder.includes("/") ? "\\" : "/";
  return `${folder.replace(/[/\\]+$/, "")}${slash}${name}`;
}

export function isAbsolute(path: string): boolean {
  return /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(path);
}

/** Whether a path lies in one of the folders that a key may use; null: in any. */
export function isAllowed(path: string, roots: string[] | null | undefined): boolean {
  return !roots || roots.some((root) => isInside(path, root));
}

/** The nearest folder in which all of these folders lie; "" where there is none. */
export function commonFolder(folders: string[]): string {
  let [common = ""] = folders;
  while (common && !folders.every((one) => isInside(one, common))) common = folderOf(common);
  return common;
}
