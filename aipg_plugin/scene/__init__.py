"""What one fixed camera sees: picture quality, background, foreground regions, and a look at it all."""
