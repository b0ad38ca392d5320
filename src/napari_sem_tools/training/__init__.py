"""Learning: scenes, targets, crops, losses and the loop."""
