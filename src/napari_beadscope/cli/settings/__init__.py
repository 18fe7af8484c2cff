"""`beadscope settings …`: look up, change, check, share and import settings; profiles."""
