"""Video in and out: sources of frames, sinks of guarded frames, the stream server."""
