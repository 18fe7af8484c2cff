"""`beadscope script …` and `beadscope recipe …`."""
