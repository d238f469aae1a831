"""Workers and their devices, who holds what, and the reconciler that moves stranded runs on."""
