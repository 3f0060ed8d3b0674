"""Finding people: tiles, nets, merging, the sweep schedule, the motion analyzer and the picture checks."""
