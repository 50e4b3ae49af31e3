/** Words of the page of the server: health, machines, models, keys, webhooks, the audit log. */
import { words } from "./index";

const { number, several } = words;

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const UNITS = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
] as const;

/** How long ago, or in how long, a Unix time is. */
function ago(at: number): string {
  const seconds = at - Date.now() / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.trunc(seconds / length), unit);
  }
  return seconds > 0 ? "in less than a minute" : "less than a minute ago";
}

const moment = (at: number): string =>
  new Date(at * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

const size = (bytes: number): string => {
  if (bytes < 1e6) return `${number(Math.ceil(bytes / 1e3))} kB`;
  return bytes < 1e9 ? `${number(Math.round(bytes / 1e6))} MB` : `${number(Math.round(bytes / 1e8) / 10)} GB`;
};

type Names = Record<string, string>; // what the API says -> what it means

export const serverWords = {
  ago,
  moment,
  size,
  several,
  sections: {
    health: "Health",
    machines: "Machines",
    models: "Models",
    keys: "Keys",
    webhooks: "Webhooks",
    audit: "Audit log",
  },
  lacks: (what: string, scope: string) =>
    `${what}: your key lacks the scope “${scope}”. Ask an administrator for a key that has it.`,
  copy: "Copy",
  copyOf: (what: string) => `Copy ${what}`,
  refresh: "Look again",
  close: "Close",
  stale: "What is shown was there before; it is asked for again by itself.",

  health: {
    ready: "Ready: everything that this server needs is there.",
    loading: "A worker is still loading its model. What needs it waits a moment.",
    notReady: "Not ready",
    alive: (workers: string) => `Running: ${workers}.`,
    nobody: "No worker is running.",
    doctor: "What “rushes doctor” finds",
    looking: "Looking at everything. That takes some seconds, longer where a disk hangs …",
    lookedAt: (host: string, at: number) => `Looked at on ${host}, ${ago(at)} (${moment(at)}).`,
    problems: (count: number) => (count ? several(count, "problem") : "No problems"),
    warnings: (count: number) => several(count, "warning"),
    levels: { problem: "Problem", warning: "Warning", ok: "Fine" },
    cure: "What to do:",
    fine: (count: number) => `${several(count, "thing")} that ${count === 1 ? "is" : "are"} fine`,
    foot: "It looks at the machine on which the API runs. On others, run this command there:",
    command: "rushes doctor",
  },

  workers: {
    analysis: "analysis worker",
    query: "query worker",
    recluster: "regrouping worker",
    export: "export worker",
    watcher: "watcher",
  } as Names,

  machines: {
    hint: "What runs now. This is looked at again every few seconds.",
    none: "No worker is running on any machine. Start one on a machine that sees the footage:",
    command: "rushes worker analysis",
    lacking: "What no machine has",
    lacks: "What it lacks",
    kinds: {
      analysis: "Analysis worker",
      query: "Query worker",
      recluster: "Regrouping worker",
      export: "Export worker",
      watcher: "Watcher",
      api: "API",
    } as Names,
    states: {
      idle: "Waits for work",
      working: "Works",
      waiting: "Waits",
      loading: "Loads a model",
    } as Names,
    process: (pid: number) => `process ${pid}`,
    since: (at: number) => `Runs since ${moment(at)} (${ago(at)})`,
    at: "At",
    ofTask: "Task",
    memory: "Models in memory",
    held: (kind: string, key: string, bytes: number | null) =>
      `${kind}: ${key}${bytes === null ? "" : `, ${size(bytes)}`}`,
    loading: "loading",
    unseen: (roots: string[]) =>
      `It does not see ${roots.join(", ")}. Mount ${roots.length === 1 ? "it" : "them"} there, under the same path, and start the worker again.`,
  },

  models: {
    hint: "One model of each kind is active: new requests use it.",
    kinds: { visual: "Pictures", speech: "Speech", faces: "Faces" },
    none: "There is no model of this kind.",
    facts: {
      key: "Name in commands",
      licence: "Licence",
      size: "Size",
      limits: "Limits",
      source: "From",
    },
    unknownSize: "unknown",
    commercial: "commercial use allowed",
    notCommercial: "not for commercial use",
    unknownCommercial: "commercial use: unknown, read the licence",
    badges: {
      active: "active",
      loaded: "loaded",
      loading: "loading",
      downloaded: "downloaded",
      absent: "not downloaded",
      unsupported: "cannot run here",
    },
    load: "Load",
    loadIt: (name: string) => `Load ${name}`,
    fetch: "Fetch",
    fetchIt: (name: string) => `Fetch ${name}`,
    loadTitle: (name: string) => `Load ${name}?`,
    means: {
      visual:
        "Searches use it from now on. Files that were analyzed with another model are not found by words or pictures until they are analyzed again; what is stored of them stays, and is found again when the former model is loaded.",
      speech: "New transcripts are made with it. Transcripts that are there stay, whichever model wrote them.",
      faces:
        "Faces of new analyses are found with it. People who were found with another model are not compared with them until their files are analyzed again.",
    },
    fetchTitle: (name: string) => `Fetch ${name}?`,
    fetchMeans: (bytes: string | null) =>
      bytes ? `${bytes} are downloaded to where this server keeps its weights.` : "Its weights are downloaded to where this server keeps them.",
    licence: (licence: string) => `Its licence is ${licence}.`,
    licenceForbids:
      "This licence does not allow commercial use. Fetch it only where that is no hindrance, such as for research or at home.",
    agree: "I have read this and use it within its licence",
    states: { waiting: "Waiting", running: "Fetching", done: "Fetched", failed: "Failed" } as Names,
    progress: (name: string) => `Fetching ${name}`,
    of: (bytes: number, all: number | null) => (all ? `${size(bytes)} of ${size(all)}` : size(bytes)),
    others: "Other models that were asked for",
    onHost: (host: string) => `on ${host}`,
    cannotChange: "To load or fetch models",
  },

  keys: {
    hint: "A key says who asks, and what they may do. Give each person and each program one of their own.",
    create: "Create a key",
    createIt: "Create",
    label: "Label",
    labelHint: "Who or what uses it, such as “Edit 3”",
    scopes: "What it may do",
    scopeNames: {
      search: "Search, and look: pictures, originals, transcripts, people",
      analyze: "Begin analyses, and cancel one’s own",
      people: "Name, join, part and regroup people",
      watch: "Watch folders",
      export: "Export clips, timelines and transcripts",
      models: "Load and fetch models",
      admin: "Administer: keys, webhooks, health, the audit log; others’ tasks; delete a person",
    } as Names,
    noScopes: "Choose at least one thing that it may do.",
    roots: "Folders that it may use",
    rootsHint: "One a line. Left empty: all that your own key may use.",
    rootsWrong: (line: string) => `“${line}” is no whole path: write one such as /footage/show1.`,
    expires: "Last day on which it works",
    expiresHint: "Left empty: it works until it is revoked.",
    expiresPast: "This day is over: choose a later one, or none.",
    made: "The key",
    once: "This key is shown this once. Copy it now and give it to whoever is to use it: nobody can look it up later.",
    kept: "I have it: close",
    allRoots: "all folders of the server",
    facts: {
      id: "Id",
      scopes: "May",
      roots: "Folders",
      created: "Made",
      used: "Last used",
      expires: "Expires",
      use: "Use",
    },
    never: "never",
    unknown: "unknown",
    expired: "expired",
    fromSettings: "from the settings",
    fromSettingsHint: "It stands in RUSHES_LICENSE_KEYS: take it out there and start the server again.",
    own: "yours",
    ownHint: "You are signed in with it. To revoke it, sign in with another key that has the scope “admin”.",
    use: (requests: number, seconds: number) =>
      [several(requests, "request"), seconds ? `${number(Math.round(seconds / 360) / 10)} hours of footage analyzed` : ""]
        .filter(Boolean)
        .join(", "),
    revoke: "Revoke",
    revokeIt: (label: string) => `Revoke ${label}`,
    revokeTitle: (label: string) => `Revoke the key “${label}”?`,
    revokeMeans:
      "Programs that use it are refused from now on, and every console window that is signed in with it is signed out. What it has begun goes on. This cannot be undone.",
  },

  webhooks: {
    hint: "Programs of yours that are told of what happens here, by signed messages (Standard Webhooks).",
    none: "There is no webhook.",
    add: "Add a webhook",
    addIt: "Add",
    url: "Address of the receiver",
    urlExample: "https://mam.example/hooks/rushes",
    events: "What it is told of",
    eventNames: {
      "task.ended": "A task has ended: an analysis, a regrouping, an export",
      "file.failed": "A file could not be analyzed",
      "ingest.finished": "A file of a watch folder is analyzed",
      "folder.waiting": "A watch folder cannot go on",
    } as Names,
    typeNames: {
      "task.ended": "a task has ended",
      "file.failed": "a file failed",
      "ingest.finished": "a file of a watch folder is analyzed",
      "folder.waiting": "a watch folder waits",
      "webhook.dropped": "messages were dropped",
    } as Names,
    noEvents: "Choose at least one thing that it is told of.",
    made: "The secret",
    once: "The receiver checks with this secret that messages are from here. It was made in this window and is shown this once: put it into the receiver’s settings now.",
    kept: "I have it: close",
    facts: {
      events: "Told of",
      created: "Added",
      waiting: "Waiting",
      sent: "Last sent",
      error: "Last error",
      dropped: "Dropped",
    },
    never: "never",
    noError: "none",
    waiting: (count: number) => several(count, "message"),
    dropped: (count: number) => `${several(count, "message")}: more than 10,000 waited`,
    test: "Try",
    testIt: (url: string) => `Try ${url}`,
    trying: "Trying …",
    remove: "Remove",
    removeIt: (url: string) => `Remove ${url}`,
    removeTitle: "Remove this webhook?",
    removeMeans: (url: string, waiting: number, dead: number) =>
      `${url} is told of nothing more.` +
      (waiting + dead ? ` What waits for it (${several(waiting, "message")}) and what was given up (${number(dead)}) is dropped.` : ""),
    dead: (count: number) => `${several(count, "message")} given up`,
    deadHint: "The receiver did not take them for a day. Send them again once it is mended, or drop them.",
    resend: "Send again",
    resendIt: (type: string, at: number) => `Send again: ${type}, ${moment(at)}`,
    resendAll: "Send all again",
    drop: "Drop",
    dropIt: (type: string, at: number) => `Drop: ${type}, ${moment(at)}`,
    dropAll: "Drop all",
    dropAllTitle: (count: number) => `Drop ${several(count, "message")}?`,
    dropAllMeans: "The receiver never learns of them.",
    content: "Content",
    more: "Show more",
  },

  audit: {
    hint: "Who changed or took what, the newest first. It lies on the machine on which the API runs.",
    none: "Nothing is recorded yet.",
    noneFound: "Nothing that is recorded fits these filters.",
    filters: "Filters",
    action: "What",
    key: "Who",
    task: "Task",
    taskHint: "Id of a task",
    any: "everything",
    anybody: "everybody",
    clear: "Clear filters",
    line: (who: string, what: string) => `${who} ${what}`,
    somebody: "Somebody without a key",
    failed: "and it failed",
    from: (address: string, client: string) =>
      [address && `from ${address}`, client && `with ${client.startsWith("Mozilla/") ? "a browser" : client}`]
        .filter(Boolean)
        .join(" "),
    details: "Details",
    facts: { action: "Operation", key: "Key", task: "Task", client: "With" },
    onlyTask: "All of this task",
    onlyKey: (label: string) => `All of ${label}`,
    older: "Show older",
    end: "This is the oldest line that is kept.",
    other: (action: string) => `did “${action.replaceAll("_", " ")}”`,
    actions: {
      add_watch_folder: "added a watch folder",
      analyze: "began an analysis",
      calibrate: "calibrated a model",
      cancel_task: "cancelled a task",
      change_watch_folder: "changed a watch folder",
      collection_vocabulary: "measured the words of a collection",
      create_console_link: "made a link that signs in",
      create_key: "created a key",
      create_webhook: "added a webhook",
      delete_analysis_data: "deleted analysis data",
      delete_person_data: "deleted a person’s data",
      delete_webhook: "removed a webhook",
      drop_dead_messages: "dropped messages that were given up",
      enroll_person: "enrolled a person",
      export_clips: "exported clips",
      export_timeline: "exported a timeline",
      export_transcript: "exported a transcript",
      fetch_model: "fetched a model",
      load_model: "loaded a model",
      modify_face_clusters: "moved faces between people",
      name_face_clusters: "named people",
      put_task_first: "put a task first",
      recluster_faces: "grouped faces anew",
      remove_watch_folder: "removed a watch folder",
      resend_dead_messages: "sent messages again that were given up",
      retry_task: "tried failed files again",
      retry_watched_files: "tried files of a watch folder again",
      revoke_key: "revoked a key",
      set_left_out: "left files out, or took them in again",
      sign_in: "signed in to the console",
      start_watching: "began to watch folders",
      stop_watching: "paused watch folders",
      undo_deletion: "undid a deletion",
      undo_face_edits: "undid an edit of people",
    } as Names,
  },
};
