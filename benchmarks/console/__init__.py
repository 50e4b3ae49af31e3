"""The console in a real Chromium: what it weighs, how soon it answers, what Lighthouse says."""
