"""AWS on the laptop: MiniStack, and in front of it the few behaviours that it leaves out."""
