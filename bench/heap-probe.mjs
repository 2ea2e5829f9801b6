// Loaded into Gatehouse with --import, by soak.ts only: tells the parent how much memory is in use.
setInterval(() => process.send?.(process.memoryUsage()), 1_000).unref();
