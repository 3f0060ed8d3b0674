"""AI Privacy Guard: hides people in fisheye video before anything else sees the pixels."""
