"""The pretend runtime of a vendor is imported by the processes that need it, never by the collection of tests."""

collect_ignore = ["runtimes"]
