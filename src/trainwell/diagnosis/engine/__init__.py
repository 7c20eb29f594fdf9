"""Our own engine's trainings as neutral signals, and short re-runs of them: the same rules as for anybody else's loop."""
