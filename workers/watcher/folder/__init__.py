"""One watch folder, in a thread of its own: settle, admit, submit, and judge what came of it."""
