"""Questions to a library whose memories are held by several processes: scatter and gather."""
