"""`beadscope find`: an image in, a bead list and a picture out. Names load on first use."""
