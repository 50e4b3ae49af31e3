/** What the pages about work say. */
import { words as general } from "./index";

const { number, several } = general;

type Choices = Record<string, string>;

/** How long something takes, in the unit that fits. */
const lasting = (seconds: number): string => {
  if (seconds < 90) return several(Math.max(1, Math.round(seconds)), "second");
  if (seconds < 5400) return several(Math.round(seconds / 60), "minute");
  if (seconds < 172_800) return `${number(Math.round(seconds / 360) / 10)} hours`;
  return several(Math.round(seconds / 86_400), "day");
};

const moment = (unix: number): string => {
  const at = new Date(unix * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  return at.toLocaleString("en-GB", isToday ? { timeStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" });
};

const bytes = (count: number): string => {
  if (count < 1e6) return `${number(Math.ceil(count / 1e3))} kB`;
  if (count < 1e9) return `${number(Math.ceil(count / 1e6))} MB`;
  return `${number(Math.round(count / 1e8) / 10)} GB`;
};

const ordinal = (place: number): string => {
  const ending = { one: "st", two: "nd", few: "rd" } as Choices;
  return `${number(place)}${ending[new Intl.PluralRules("en", { type: "ordinal" }).select(place)] ?? "th"}`;
};

export const work = {
  parts: {
    label: "Work",
    tasks: "Tasks",
    analyze: "Analyze",
    watch: "Watch folders",
    "left-out": "Left out",
  },
  lasting,
  moment,
  bytes,
  search: "Search this library",

  tasks: {
    open: "Waiting and running",
    idle: "Nothing is running and nothing waits",
    idleMore: "Choose folders to analyze, or watch a folder in which new files arrive.",
    more: "Show more of the line",
    ended: "Ended",
    noneEnded: "Nothing has ended in the last 24 hours.",
    onlyFailed: "Only those in which something failed",
    noneFailed: "Nothing has failed in the last 24 hours.",
    older: "Show older ones",
    kinds: {
      analyze: "Analysis",
      ingest: "Watch folder",
      recluster: "Grouping of faces",
      export: "Export of clips",
      models: "Fetching a model",
    } as Choices,
    states: {
      queued: "Waiting",
      loading_model: "Loading the model",
      running: "Running",
      stopping: "Stopping",
      completed: "Done",
      cancelled: "Cancelled",
      failed: "Failed",
    } as Choices,
    of: (kind: string, owner: string) => `${kind} of ${owner}`,
    nobody: "nobody",
    yours: "yours",
    place: (place: number) => (place === 1 ? "Next in line" : `${ordinal(place)} in line`),
    reasonOf: (message: string, owner: string | null | undefined) =>
      owner ? `${message} It is of ${owner}.` : message,
    progress: (kind: string) => `Progress: ${kind}`,
    file: "File at hand",
    files: "Files",
    filesOf: (current: number, total: number) => `${number(current)} of ${number(total)}`,
    rate: "Speed",
    rateOf: (rate: number) =>
      `${number(rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate))} × as fast as it plays`,
    left: "Time left",
    leftOf: (seconds: number) => `about ${lasting(seconds)}`,
    begun: "Sent",
    client: "From",
    library: "Library",
    task: "Task",
    failedSoFar: (count: number) => `${several(count, "file")} failed so far; the reasons come when it ends.`,
    details: "Files",
    detailsOf: (kind: string) => `Files: ${kind}`,
    cancel: "Cancel",
    cancelOf: (kind: string) => `Cancel: ${kind}`,
    first: "Put first",
    firstOfMine: "Put before my others",
    endedAt: (at: number, begun: number) => `${moment(at)}, ${lasting(at - begun)} after it was sent`,
    superseded: "See what replaced it",
  },

  cancel: {
    title: (kind: string) => `Cancel this? ${kind}`,
    stays: {
      analyze: "Files that are analyzed already stay analyzed. The file at hand is begun anew when it is analyzed again.",
      ingest: "Files that are analyzed already stay analyzed. The watch folder takes the others up again by itself: pause it to stop them.",
      recluster: "People and their names stay as they are.",
      export: "Clips that are written already stay.",
      models: "Models that are there already stay. This one is fetched from its beginning when it is asked for again.",
    } as Choices,
    notYours: (owner: string) => `It is of ${owner}, who is told that it was cancelled.`,
    yes: "Cancel it",
    no: "Let it go on",
    over: (message: string) => `It ended while this was open, and nothing was lost: ${message}`,
  },

  dialog: {
    title: (kind: string) => `Task: ${kind}`,
    over: (state: string) => `It ended while this was open: ${state}.`,
    files: (count: number) => several(count, "file"),
    noFiles: "No file is known of it any more.",
    state: {
      queued: "waits",
      running: "in work",
      done: "done",
      failed: "failed",
      cancelled: "cancelled",
    } as Choices,
    by: (worker: string) => `by ${worker}`,
    more: (count: number) => `and ${several(count, "more file")}`,
  },

  failed: {
    summary: (count: number) => `${several(count, "file")} failed`,
    group: (reason: string, count: number) => `${reason} (${several(count, "file")})`,
    all: (reason: string) => `All with: ${reason}`,
    more: (count: number) => `and ${number(count)} more for the same reason`,
    again: (count: number, isAll: boolean) =>
      count === 1 ? "Try 1 file again" : `Try ${isAll ? "all " : ""}${number(count)} files again`,
    againOne: "Try again",
    leaveOut: (count: number, isAll: boolean) =>
      count === 1 ? "Leave 1 file out" : `Leave ${isAll ? "all " : ""}${number(count)} files out`,
    leaveOutOne: "Leave out",
    hint: "Left out: nothing tries it again by itself, and it counts as neither missing nor failed.",
    begun: "They are tried again: see the new task above.",
    watched: "It is of a watch folder, which has its own “Try again”.",
    see: "See what is left out",
    done: { again: "tried again", out: "left out" } as Choices,
  },

  leftOut: {
    title: "Left-out files",
    none: "Nothing is left out of this library",
    noLibrary: "No library is known yet",
    more: "Show more",
    count: (count: number) => `${several(count, "file")} left out`,
    by: (name: string | null | undefined, at: number) => `left out ${name ? `by ${name}, ` : ""}${moment(at)}`,
    back: "Take back",
    backOf: (name: string) => `Take back ${name}`,
    allBack: (count: number) => `Take all ${number(count)} back`,
  },

  browser: {
    label: "Folders and files",
    path: "Go to a folder",
    go: "Go",
    pathExample: "/footage/day1",
    roots: "Footage",
    way: "Where you are",
    up: "One folder up",
    moves: "From row to row",
    open: "Open the folder",
    choose: "Choose",
    chooseThis: "Choose this folder",
    chooseOf: (name: string) => `Choose ${name}`,
    empty: "There is no folder and no media file in it.",
    unsupported: (count: number) =>
      `${several(count, "file")} of other kinds ${count === 1 ? "is" : "are"} not shown.`,
    more: "Show more",
    offline: "away",
    analyzed: (count: number) => (count === 0 ? "nothing analyzed" : `${number(count)} analyzed`),
    kinds: { visual: "pictures", speech: "speech", faces: "faces" } as Choices,
    states: {
      analyzed: "analyzed",
      waiting: "in line",
      failed: "failed",
      left_out: "left out",
      none: "not analyzed",
    } as Choices,
    marks: { analyzed: "✓", waiting: "…", failed: "✕", left_out: "–", none: "○" } as Choices,
  },

  analyze: {
    title: "Analyze",
    where: "What",
    hint: "Choose folders and files. Folders are taken with all that is in them.",
    chosen: (count: number) => `Chosen: ${number(count)}`,
    none: "Choose at least one folder or file.",
    remove: (name: string) => `Do not analyze ${name}`,
    how: "How",
    library: "Library",
    libraryHint: "The folder that receives the results. Searches look into one library.",
    isNew: "New: the folder is made.",
    isKnown: (files: number | null | undefined) =>
      files == null ? "Known to the server." : `Known: ${several(files, "file")}.`,
    pictures: "Pictures: what is to be seen",
    speech: "Speech: what is said",
    faces: "Faces: who is seen",
    language: "Language spoken",
    detect: "Find out",
    collection: "Collection of people",
    collectionHint: "Faces of one collection are compared with each other.",
    collectionExample: "Season 1",
    nothingAsked: "Choose pictures, speech or faces.",
    noCollection: "Name the collection that receives the faces.",
    noLibrary: "Type the whole path of the library, such as /footage/.rushes.",
    cost: "What it will cost",
    counting: "Counting …",
    files: "Files",
    filesOf: (fresh: number, analyzed: number) =>
      analyzed > 0 ? `${number(fresh)} to analyze; ${number(analyzed)} are analyzed already` : `${number(fresh)} to analyze`,
    leftOut: (count: number) => `${number(count)} are left out`,
    unsupported: (count: number) => `${number(count)} of other kinds`,
    footage: "Footage",
    hours: (hours: number, isKnown: boolean) => `${isKnown ? "" : "about "}${lasting(hours * 3600)}`,
    time: "Time",
    timeOf: (seconds: number) => (seconds === 0 ? "none" : `about ${lasting(seconds)}`),
    unknown: "not known",
    disk: "Disk for results",
    diskOf: (count: number) => `about ${bytes(count)}`,
    partial: "There is more than was counted: these are the least figures.",
    noFiles: "There is no media file in what is chosen.",
    nothingNew: "All of it is analyzed already.",
    begin: "Analyze",
    finding: (count: number) => `Finding files: ${number(count)} …`,
    listening: (count: number, all: number) => `Looking for sound: ${number(count)} of ${number(all)} …`,
    sending: (sent: number, all: number) =>
      sent === 0 ? `Sending ${several(all, "file")} …` : `Sending files: ${number(sent)} of ${number(all)} …`,
    begun: "It is begun: see its task",
  },

  watch: {
    service: "Watching",
    states: {
      running: "Working",
      waiting: "Waiting for files",
      paused: "Pausing",
      stopping: "Stopping",
      stopped: "Stopped",
    } as Choices,
    start: "Start watching",
    stop: "Stop watching",
    pausedUntil: (at: number) => `expected to go on at ${moment(at)}`,
    current: (name: string) => `In work: ${name}`,
    session: (count: number) => `${several(count, "file")} done since it was started`,
    lastError: "What went wrong last:",
    none: "No folder is watched",
    noneMore: "New files in a watched folder are analyzed by themselves.",
    add: "Watch a folder",
    folders: "Watched folders",
    list: "Watch folders",
    groups: {
      pending: "pending",
      processed: "done",
      failed: "failed",
      skipped: "left out",
      unsupported: "other kinds",
    } as Choices,
    countOf: (count: number, group: string) => `${number(count)} ${group}`,
    disabled: "Paused",
    paused: "Somebody has paused it; nothing is taken from it.",
    pause: "Pause",
    resume: "Resume",
    change: "Change",
    remove: "Remove",
    actOn: (what: string, path: string) => `${what}: ${path}`,
    retryAll: (count: number) => `Try ${several(count, "failed file")} again`,
    scanned: (at: number) => `looked at ${moment(at)}`,
    polling: "looked at again and again, since the system tells nothing of new files in it",
    hours: (start: string, stop: string) => `from ${start} to ${stop}`,
    analyzes: (kinds: string[]) => `Analyzes ${kinds.join(", ")}`,
    into: "into",
    filesOf: (group: string) => `Files: ${group}`,
    noFiles: "There are none.",
    nothingHinders: "Nothing hinders it: its turn comes.",
    tries: (count: number) => `tried ${several(count, "time")}`,
    more: "Show more",
    removeTitle: "Watch this folder no more?",
    removeMore: (path: string, library: string) =>
      `New files in ${path} will not be analyzed by themselves. Its files and what is analyzed stay; ${library} can be searched as before.`,
    gone: "It is watched no more: somebody has removed it meanwhile.",
    removeYes: "Watch it no more",
    keep: "Keep it",
  },

  form: {
    add: "Watch a folder",
    change: (path: string) => `Change: ${path}`,
    folder: "Folder to watch",
    recursive: "Folders inside it, too",
    limited: "Only at certain hours",
    from: "From",
    to: "To",
    clock: "By the server's clock.",
    settle: "Seconds without change before a file is taken",
    anew: "What is said here can be watched anew.",
    globs: "Leave out by name",
    globsExample: "proxy_*, *.tmp.mov",
    save: "Save",
    saving: "Saving …",
    submit: "Watch this folder",
    noFolder: "Choose the folder to watch.",
  },

};
