"""Finding people: tiles, nets, merging, the sweep schedule, the motion witness and the picture checks."""
