"""Real networks whose true scores are known, because drawn photographs never run out."""
