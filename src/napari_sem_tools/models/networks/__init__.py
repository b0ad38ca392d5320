"""Our own networks, in plain torch: they run without smp, timm and torchvision."""
