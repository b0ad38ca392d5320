"""One training from plan to card: process, learner, checkpoints, judges, logs."""
