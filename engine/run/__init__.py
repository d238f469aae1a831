"""Running a pipeline: steps, cache, executor, and the child process that a supervisor starts."""
