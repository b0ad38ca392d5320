"""What is learned from: folders, splits, rendered scenes, crops, targets."""
