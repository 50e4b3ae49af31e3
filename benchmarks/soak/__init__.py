"""A whole server under mixed work whose processes are killed all the time: `scripts/soak`."""
